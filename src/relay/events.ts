import type { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import type { BreakerState } from '../store/breakers/read-breakers.ts'
import type { DeadLetterReason } from '../store/lanes/settle.ts'
import type { NotListeningReason } from './wake-up/listener.ts'

/** Every event of a relay with its payload. No event carries a payload of an intent or a key. */
export interface RelayEvents {
  /** The relay takes part in the fleet. */
  started: [{ readonly relayId: string }]
  /** It has handed back its lanes and closed its connections. */
  stopped: [{ readonly relayId: string }]
  /** `stop({ drainMs })` goes on to its end: every lane is empty, or the time was up with as many left. */
  drained: [{ readonly lanesLeft: number }]
  /** Intents left the queue: Customer.io has taken `delivered` of them. */
  settled: [
    {
      readonly destination: string
      readonly lane: number
      readonly delivered: number
      /** Of those: delivered over 72 h after their write, when an event no longer triggers a campaign. */
      readonly late: number
      readonly dead: number
      /** Held back by the workspace's `allowRecipients`. */
      readonly suppressed: number
    },
  ]
  /**
   * An intent will not be delivered as it stands. What Customer.io said of it may quote its payload: the text is in
   * `outbox.dead_letters.message` only.
   */
  deadLetter: [
    {
      readonly destination: string
      readonly id: string
      readonly seq: string
      readonly reason: DeadLetterReason
      readonly status: number | undefined
      /** A documented field name, such as `attributes`: never a name or a value of the payload. */
      readonly field: string | undefined
    },
  ]
  /** A destination's breaker changed, as this relay sees it; without `from`: it was found so, when the relay started. */
  breaker: [
    { readonly destination: string; readonly from: BreakerState | undefined; readonly to: BreakerState },
  ]
  /** A lane failed and waits with a backoff, its intents untouched. */
  laneFailed: [{ readonly destination: string; readonly lane: number; readonly message: string }]
  /** Intents wait for a destination that this relay has no credentials for. Once per destination, and for 100 at most. */
  unserved: [{ readonly destination: string }]
  /** Rows wait that a newer version has written: they stay for a newer relay. Once per destination and format. */
  unknownFormat: [{ readonly destination: string; readonly format: number; readonly known: number }]
  /** A workspace's region could not be checked; the relay goes on. */
  regionUnchecked: [
    {
      readonly workspace: string
      readonly reason: 'credential_refused' | 'unreachable'
      readonly message: string
    },
  ]
  /** The schema is newer than what this relay knows, and takes it all the same: upgrade it in your own time. */
  schemaAhead: [{ readonly version: number; readonly supported: number }]
  /** `start()` was given `acceptCopy`, and the database was a copy: its intents are delivered. */
  copyAccepted: [{ readonly origin: string | undefined; readonly found: string; readonly pending: number }]
  /** The database has become a copy of the one before, behind the same address. The relay stops by itself. */
  copyFound: [CopiedDatabaseError]
  /** `updateWorkspaces` has put other settings in force; `destinations` are those that are new or changed. */
  workspacesUpdated: [{ readonly destinations: readonly string[] }]
  /** The database does not answer. Lanes stop, intents stay; it is tried again, every 10 s at last. Once. */
  databaseLost: [{ readonly message: string }]
  /** It answers again. */
  databaseBack: [{ readonly afterMs: number }]
  /**
   * The queue's numbers ran backwards, from the highest that was seen: a person restored the queue or its sequence. Every
   * turn ends, and the lanes are read from their beginning.
   */
  sequenceRewound: [{ readonly from: bigint; readonly to: bigint }]
  /** Wake-ups are heard: when the relay starts, and after `notListening`. */
  listening: [{ readonly relayId: string }]
  /**
   * Wake-ups are not heard, the relay polls: `unheard` where LISTEN is taken and nothing comes (a pooler in
   * transaction mode, or another database), `refused` where it is not taken, `unreachable` where there is no
   * connection, `queue_full` where the server's queue of notifications is more than half full. Once, though it is tried again and again; not while the whole database is lost.
   */
  notListening: [
    {
      readonly reason: NotListeningReason
      readonly message: string
      /** Which setting the connection is made by. */
      readonly through: 'connectionString' | 'listenConnectionString'
      readonly pollIntervalMs: number
    },
  ]
  /** Something of the relay's own went wrong, a connection broke. It goes on by itself. */
  error: [Error]
}
