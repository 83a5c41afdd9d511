import type { ArrivalLog } from '../oracle/judge-arrivals.ts'
import type { JournalReport } from './journal.ts'

/** To the server. */
export type ApiCommand =
  | { readonly kind: 'begin'; readonly expected: number; readonly latencyMs: number }
  | { readonly kind: 'await'; readonly seen: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'arrivals' }
  | { readonly kind: 'log' }

/** From the server. */
export type ApiMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'begun' }
  | { readonly kind: 'seen' }
  /** Nothing new has come for a long time, and less than was awaited. */
  | { readonly kind: 'stalled'; readonly seen: number }
  | { readonly kind: 'report'; readonly report: JournalReport }
  | { readonly kind: 'arrivals'; readonly arrivals: Float64Array }
  | { readonly kind: 'log'; readonly log: ArrivalLog }
