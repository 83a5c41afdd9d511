import type { DeadLetterReason } from '../../store/lanes/settle.ts'

/** What a call of `deliverInto` did, and what it left in the queue. */
export interface Delivery {
  /** How many intents the fake accepted. */
  readonly delivered: number
  /** How many intents were not sent because of `allowRecipients`. */
  readonly suppressed: number
  /** The intents that became dead letters. */
  readonly deadLetters: readonly DeliveryDeadLetter[]
  /** How many intents stay in the queue. The next call tries them again. */
  readonly pending: number
  /** How many intents wait for their `sendAfter`. */
  readonly scheduled: number
  /** Why intents stay in the queue: `default/track: 503: …`. Empty if no request failed. */
  readonly failures: readonly string[]
}

/** An intent that Customer.io refused, or that could not be sent. `outbox.dead_letters` has the rest of it. */
export interface DeliveryDeadLetter {
  readonly id: string
  /** Workspace and API, such as `default/track`. */
  readonly destination: string
  readonly reason: DeadLetterReason
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined
  /** The field that Customer.io named. */
  readonly field: string | undefined
}
