import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import type { RelayEncryption, WorkspaceOptions } from '../../relay/options.ts'
import { isPglite, type PgliteLike } from '../pglite.ts'
import type { Delivery } from './delivery.ts'

/**
 * The options of `deliverInto`.
 *
 * @example
 * ```ts
 * import { type DeliverOptions, deliverInto, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * const options: DeliverOptions = { from: connectionString, settings: { allowRecipients: ['*@example.com'] } }
 * await using fake = await startFakeCustomerIo()
 * await deliverInto(fake, options)
 * ```
 */
export interface DeliverOptions {
  /**
   * The database: a URL such as `postgres://user:password@host:5432/database`, or a PGlite database.
   *
   * @default process.env.DATABASE_URL
   */
  readonly from?: string | PgliteLike | undefined
  /**
   * Settings of every workspace, as a relay has them. The addresses are those of the fake, and the credentials are those that
   * it accepts.
   *
   * @default {}
   */
  readonly settings?: Omit<WorkspaceOptions, 'trackUrl' | 'appUrl' | 'pipelinesUrl' | 'region'> | undefined
  /**
   * The outbox's schema, as `createOutbox` gets it.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * The keys of encrypted payloads, as a relay has them.
   *
   * @default undefined: encrypted intents stay in the queue
   */
  readonly encryption?: RelayEncryption | undefined
}

/**
 * Sends every committed intent of the queue to a fake Customer.io, once, in this process. It runs the relay's own code for
 * reading, batching, sending and settling, but starts no relay: no timer, listener or connection outlives the call. On a
 * server, commit before you call it, because a relay sees no open transaction.
 *
 * A request that fails is not repeated: its intents stay in the queue, and the next call tries them again at once. Scheduled
 * intents are sent if they are due. As with a relay, the order of commits holds per ordering key, not across people.
 *
 * @param fake The fake, from `startFakeCustomerIo`.
 * @param options The database, and the settings of a relay that the test needs.
 * @returns what was delivered, and what was not.
 * @throws TypeError if there is no database.
 * @throws Error if a relay serves the database: its intents are meant for Customer.io.
 * @throws the error of the database, for example if it was not migrated.
 *
 * @example
 * ```ts
 * import { equal } from 'node:assert/strict'
 * import { deliverInto, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo()
 * const { delivered, pending } = await deliverInto(fake, { from: connectionString })
 * equal(pending, 0)
 * ```
 */
export async function deliverInto(fake: FakeCustomerIo, options: DeliverOptions = {}): Promise<Delivery> {
  const { from = process.env.DATABASE_URL, settings = {}, schema, encryption } = options
  if (!(typeof from === 'string' && from !== '') && !isPglite(from)) {
    throw new TypeError(
      'Expected from to be the URL of a database or a PGlite database, got neither: pass the connection string of your pool, or set DATABASE_URL',
    )
  }
  if (!isLoopback(fake.url)) {
    throw new TypeError(
      'Expected fake to be the result of startFakeCustomerIo, got an object without its url',
    )
  }
  // Loaded here: tests that only look at what was enqueued need nothing of the relay.
  const { deliverOnce } = await import('./deliver-once.ts')
  return deliverOnce({ fake, from, settings, schema, encryption })
}

/** The fake listens on a loopback address. Nothing is sent to another host. */
function isLoopback(url: unknown): boolean {
  return typeof url === 'string' && /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?\/?$/.test(url)
}
