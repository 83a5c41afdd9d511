import type { BreakerState } from '../store/read-breakers.ts'
import type { DeadLetterReason } from '../store/settle.ts'

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
  /** An intent will not be delivered as it stands. */
  deadLetter: [
    {
      readonly destination: string
      readonly seq: string
      readonly reason: DeadLetterReason
      readonly status: number | undefined
      readonly field: string | undefined
      readonly message: string | undefined
    },
  ]
  /** A destination's breaker changed, as this relay sees it. */
  breaker: [{ readonly destination: string; readonly from: BreakerState; readonly to: BreakerState }]
  /** A lane failed and waits with a backoff, its intents untouched. */
  laneFailed: [{ readonly destination: string; readonly lane: number; readonly message: string }]
  /** Intents wait for a destination that this relay has no credentials for. Once per destination. */
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
  schemaAhead: [{ readonly version: number; readonly known: number }]
  /** `updateWorkspaces` has put other settings in force; `destinations` are those that are new or changed. */
  workspacesUpdated: [{ readonly destinations: readonly string[] }]
  /** Something of the relay's own went wrong (database, wake-up connection). It goes on by itself. */
  error: [Error]
}
