import type { PendingIntents } from '../../store/lanes/read-pending.ts'

export type { PendingIntents }

/** What a drain has done, whatever its outcome. */
interface Drained {
  /** Intents that Customer.io accepted. */
  readonly delivered: number
  /** Intents that became dead letters. */
  readonly deadLettered: number
  /** Intents that were not sent because of the workspace's `allowRecipients`. */
  readonly suppressed: number
  /** Destinations that have intents, and for which the drain has no credentials: these intents wait for another relay. */
  readonly unserved: readonly string[]
  /** How long the drain took. */
  readonly milliseconds: number
}

/**
 * What a drain did, and what it left in the queue.
 *
 * - `empty`: no bulk action is open, and no intent is pending, of the destinations that the drain has credentials for. Intents that are scheduled for
 *   later do not count.
 * - `stopped`: every destination that has pending intents is stopped. Its breaker is open, it is paused, it rejects, or it is
 *   rate limited for longer than the time that was left. `left` says which, why, and until when.
 * - `time_is_up`: `forMs` has passed.
 * - `aborted`: `signal` was aborted.
 */
export type DrainResult =
  | (Drained & { readonly outcome: 'empty'; readonly left: readonly []; readonly openActions: 0 })
  | (Drained & {
      readonly outcome: 'stopped' | 'time_is_up' | 'aborted'
      /** The destinations with pending intents. Empty only if an action is open. */
      readonly left: readonly PendingIntents[]
      /** How many bulk actions of operators are not done. The next drain continues them. */
      readonly openActions: number
    })
