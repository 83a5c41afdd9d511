import type { EventEmitter } from 'node:events'
import type { RelayEvents } from '../events.ts'
import type { RelayOptions } from '../options.ts'

/**
 * The options of `drain`: those of a relay, and how long it may take. `listenConnectionString` is not used, because a drain
 * does not listen.
 *
 * @example
 * ```ts
 * import type { DrainOptions } from 'customerio-outbox/relay'
 *
 * const options: DrainOptions = {
 *   connectionString: 'postgres://app:secret@localhost:5432/app',
 *   customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key' },
 *   forMs: 45_000,
 * }
 * ```
 */
export interface DrainOptions extends RelayOptions {
  /**
   * Milliseconds after which the drain begins no other request, 100 to 900,000 (15 minutes). It then finishes the requests in
   * flight, which takes `requestTimeoutMs` at most, and closes. In all it ends within `forMs` + `requestTimeoutMs` + 5 s, even
   * if the database does not answer. So choose a `forMs` that is shorter by that much than the time limit of a function.
   *
   * The lanes of a drain that was killed are taken over once later ones have watched them for 10 s in all.
   *
   * @default 50000
   */
  readonly forMs?: number | undefined
  /**
   * Ends the drain in order when it is aborted, as if the time were up.
   *
   * @default undefined: only the time ends the drain
   */
  readonly signal?: AbortSignal | undefined
  /**
   * Called once, before the drain does anything, to listen to the events of its relay: `settled`, `deadLetter`, `breaker`, …
   * Without a listener for `error`, messages of errors become warnings of the process (`CustomerioOutboxWarning`).
   *
   * @default undefined
   */
  readonly observe?: ((events: EventEmitter<RelayEvents>) => void) | undefined
}
