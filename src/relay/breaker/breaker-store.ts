import { acquireProbe } from '../../store/breakers/acquire-probe.ts'
import { closeBreaker } from '../../store/breakers/close-breaker.ts'
import { openBreaker } from '../../store/breakers/open-breaker.ts'
import { rateLimitDestination } from '../../store/breakers/rate-limit-destination.ts'
import { recordFailures } from '../../store/breakers/record-failures.ts'
import type { Database } from '../../store/connection/database.ts'
import type { PolicySettings } from './policy.ts'
import type { Rejections } from './rejection-window.ts'

/** Milliseconds. A probe's lease lasts this long, or two request timeouts if that is longer. */
const MIN_LEASE_MS = 30_000

/** How failed requests change a breaker: failures open it, a refused credential pauses it. */
export interface BreakerOpening {
  readonly state: 'open' | 'paused'
  readonly failureCount: number
  readonly error: string
  /** Milliseconds to the first probe. */
  readonly delayMs: number
}

/** Writes the breaker's changes to its row for the fleet. Each promise resolves when the change is committed. */
export interface BreakerStore {
  open(opening: BreakerOpening): Promise<boolean>
  /** Stops the destination until an operator resumes it. */
  reject(rejections: Rejections): Promise<boolean>
  acquireProbe(): Promise<boolean>
  close(reason: string): Promise<boolean>
  rateLimit(ms: number, error: string): Promise<void>
  recordFailures(count: number, error: string | undefined): Promise<void>
  /** Reports that a change could not be written. The next sync corrects what this relay knows. */
  onError(error: Error): void
}

export interface BreakerStoreOptions {
  readonly db: Database
  readonly relayId: string
  readonly settings: Pick<PolicySettings, 'breaker'> & { readonly requestTimeoutMs: number }
  readonly onError: (error: Error) => void
}

/**
 * Writes one destination's breaker to its row in `outbox.breakers`.
 *
 * @param onStop Called before a stop is written, because this relay obeys the stop at once.
 */
export function breakerStore(
  { db, relayId, settings, onError }: BreakerStoreOptions,
  destination: string,
  onStop: () => void,
): BreakerStore {
  const leaseMs = Math.max(MIN_LEASE_MS, 2 * settings.requestTimeoutMs)
  return {
    open: async (opening) => {
      onStop()
      // The delay of a refused credential does not grow.
      const maxDelayMs = opening.state === 'paused' ? opening.delayMs : settings.breaker.maxHalfOpenAfterMs
      return openBreaker(db, { destination, relayId, ...opening, maxDelayMs })
    },
    reject: async (rejections) => {
      onStop()
      const error = describeRejections(rejections, destination)
      const opening = { destination, relayId, state: 'rejecting', error } as const
      return openBreaker(db, { ...opening, failureCount: 0, delayMs: null, maxDelayMs: null })
    },
    acquireProbe: () => acquireProbe(db, destination, relayId, leaseMs),
    close: (reason) => closeBreaker(db, destination, relayId, reason),
    rateLimit: (ms, error) => rateLimitDestination(db, destination, ms, error),
    recordFailures: (count, error) => recordFailures(db, destination, count, error),
    onError,
  }
}

function describeRejections({ rejected, of, statuses }: Rejections, destination: string): string {
  return (
    `${rejected} of the last ${of} intents were rejected (${statuses.join(', ')}): look at outbox.dead_letters, ` +
    `fix the cause, then run customerio-outbox resume ${destination}`
  )
}
