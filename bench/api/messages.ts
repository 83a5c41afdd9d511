import type { ArrivalLog } from '../oracle/judge-arrivals.ts'
import type { JournalReport } from './journal.ts'

/** Messages to the server. */
export type ApiCommand =
  | { readonly kind: 'begin'; readonly expected: number; readonly latencyMs: number }
  | { readonly kind: 'await'; readonly seen: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'arrivals' }
  | { readonly kind: 'log' }

/** Messages from the server. */
export type ApiMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'begun' }
  | { readonly kind: 'seen' }
  /** No new event arrived for 60 s, although more were awaited. */
  | { readonly kind: 'stalled'; readonly seen: number }
  | { readonly kind: 'report'; readonly report: JournalReport }
  | { readonly kind: 'arrivals'; readonly arrivals: Float64Array }
  | { readonly kind: 'log'; readonly log: ArrivalLog }
