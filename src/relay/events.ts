import type { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import type { ActionKind, ActionState } from '../store/actions/run-action.ts'
import type { BreakerState } from '../store/breakers/read-breakers.ts'
import type { DrainEnd } from './dispatch/wait-until-drained.ts'
import type { DeadLetterReason } from '../store/lanes/settle.ts'
import type { NotListeningReason } from './wake-up/listener.ts'

/**
 * Every event of a relay and its payload. No event contains the payload of an intent or a key.
 *
 * @example
 * ```ts
 * import { createRelay } from 'customerio-outbox/relay'
 *
 * const relay = createRelay({
 *   connectionString: 'postgres://app:secret@localhost:5432/app',
 *   customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key' },
 * })
 * relay.on('settled', ({ destination, delivered }) => console.log(destination, delivered))
 * relay.on('deadLetter', ({ id, reason, status }) => console.warn(id, reason, status))
 * relay.on('breaker', ({ destination, to }) => console.warn(destination, to))
 * relay.on('error', (error) => console.error(error.message))
 * ```
 */
export interface RelayEvents {
  /** The relay takes part in the fleet. */
  started: [{ readonly relayId: string }]
  /** The relay has handed back its lanes and closed its connections. */
  stopped: [{ readonly relayId: string }]
  /**
   * `stop({ drainMs })` has ended its drain. `lanesLeft` is the number of lanes that still hold intents: 0 if every lane is
   * empty, NaN if the lanes could not be read.
   */
  drained: [
    {
      /**
       * - `empty`: no intent is pending.
       * - `stopped`: every destination that has pending intents is stopped for longer than the rest of `drainMs`.
       * - `time_is_up`: `drainMs` is over.
       * - `aborted`: a second `stop()` has ended the drain.
       */
      readonly end: DrainEnd
      readonly lanesLeft: number
    },
  ]
  /** Intents of one batch have left the queue. */
  settled: [
    {
      readonly destination: string
      readonly lane: number
      /** Intents that Customer.io has accepted. */
      readonly delivered: number
      /** Those of `delivered` that were accepted more than 72 h after their write: such an event triggers no campaign. */
      readonly late: number
      /** Intents that became dead letters. */
      readonly dead: number
      /** Intents that the workspace's `allowRecipients` held back. */
      readonly suppressed: number
    },
  ]
  /**
   * An intent became a dead letter: the relay stops trying to send it. Customer.io's message may quote the payload, so only
   * `outbox.dead_letters.message` contains it.
   */
  deadLetter: [
    {
      readonly destination: string
      readonly id: string
      readonly seq: string
      readonly reason: DeadLetterReason
      /** The HTTP status of Customer.io's answer; undefined if the intent was not sent, or if the reason is `ambiguous`. */
      readonly status: number | undefined
      /** A documented field name, such as `attributes`. Never a name or a value from the payload. */
      readonly field: string | undefined
    },
  ]
  /**
   * A destination's breaker has changed, as seen by this relay. `from` is undefined if the breaker was already in this state when
   * the relay first read it.
   */
  breaker: [
    { readonly destination: string; readonly from: BreakerState | undefined; readonly to: BreakerState },
  ]
  /** This relay has done a chunk of a bulk action. `total` is the number of intents when the operator requested it. */
  action: [
    {
      readonly actionId: string
      readonly kind: ActionKind
      readonly state: ActionState
      readonly processed: number
      readonly total: number
    },
  ]
  /** A request failed and the lane waits with a backoff. Its intents stay in the queue. */
  laneFailed: [{ readonly destination: string; readonly lane: number; readonly message: string }]
  /**
   * Intents wait for a destination that this relay has no credentials for. Emitted once per destination, for at most 100
   * destinations.
   */
  unserved: [{ readonly destination: string }]
  /** Rows of a newer format than this relay knows (`known`) wait for a newer relay. Emitted once per destination and format. */
  unknownFormat: [{ readonly destination: string; readonly format: number; readonly known: number }]
  /**
   * Intents were encrypted with a key that this relay does not have (`key` is its id), and wait. Emitted once per destination and
   * key.
   */
  unknownKey: [{ readonly destination: string; readonly key: string }]
  /** The region of a workspace could not be checked. The relay continues. */
  regionUnchecked: [
    {
      readonly workspace: string
      readonly reason: 'credential_refused' | 'unreachable'
      readonly message: string
    },
  ]
  /** The schema is newer than this relay, and still compatible with it. Upgrade the relay when convenient. */
  schemaAhead: [{ readonly version: number; readonly supported: number }]
  /** `start()` accepted a copied database because of `acceptCopy`. Its `queued` intents, pending and scheduled, are delivered. */
  copyAccepted: [{ readonly origin: string | undefined; readonly found: string; readonly queued: number }]
  /** The connection now leads to a copy of the database. The relay stops by itself. Emitted once. */
  copyFound: [CopiedDatabaseError]
  /** `updateWorkspaces` has replaced the settings. `destinations` are the new and the changed ones. */
  workspacesUpdated: [{ readonly destinations: readonly string[] }]
  /**
   * The database does not answer. Turns end, and intents stay queued. The relay retries after delays of at most 10 s. Emitted
   * once per outage.
   */
  databaseLost: [{ readonly message: string }]
  /** The database answers again. */
  databaseBack: [{ readonly afterMs: number }]
  /**
   * The numbers (`seq`) of the queue went backwards: from the highest that this relay had seen to a lower one. An operator
   * has restored the queue or its sequence. Every turn ends, and the relays read the lanes from the beginning.
   */
  sequenceRewound: [{ readonly from: bigint; readonly to: bigint }]
  /** Notifications arrive: when the relay starts, and again after `notListening`. */
  listening: [{ readonly relayId: string }]
  /**
   * Notifications do not arrive, and the relay polls. It retries and emits this event once. While the whole database is lost, it
   * emits `databaseLost` instead.
   */
  notListening: [
    {
      /**
       * - `undelivered`: LISTEN succeeds and nothing arrives. The connection leads through a pooler in transaction mode, or to
       *   another database.
       * - `refused`: the server refuses LISTEN.
       * - `unreachable`: there is no connection.
       * - `queue_full`: the server's queue of notifications is more than half full.
       */
      readonly reason: NotListeningReason
      readonly message: string
      /** The setting that names the connection. */
      readonly through: 'connectionString' | 'listenConnectionString'
      readonly pollIntervalMs: number
    },
  ]
  /**
   * An error of the relay itself, such as a broken connection. The relay continues. Without a listener its message becomes a
   * warning of the process (`CustomerioOutboxWarning`).
   */
  error: [Error]
}
