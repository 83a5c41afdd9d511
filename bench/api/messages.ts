import type { JournalReport } from './journal.ts'

/** To the server. */
export type ApiCommand =
  | { readonly kind: 'begin'; readonly expected: number; readonly latencyMs: number }
  | { readonly kind: 'await'; readonly seen: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'arrivals' }

/** From the server. */
export type ApiMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'begun' }
  | { readonly kind: 'seen' }
  | { readonly kind: 'report'; readonly report: JournalReport }
  | { readonly kind: 'arrivals'; readonly arrivals: readonly number[] }
