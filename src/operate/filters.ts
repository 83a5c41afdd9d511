import type { DeadLetterReason } from '../store/lanes/settle.ts'

type OneOrMore<T> = T | readonly T[]

/**
 * Which pending or delivered intents an operator means. Every given field must match. A field with several values matches any of
 * them.
 *
 * @example
 * ```ts
 * import type { IntentFilter } from 'customerio-outbox/operator'
 *
 * const filter: IntentFilter = { operation: 'track', name: 'order_placed', since: new Date('2026-11-29T03:00:00Z') }
 * ```
 */
export interface IntentFilter {
  /** Ids of intents, as UUIDs or as ULIDs. */
  readonly ids?: OneOrMore<string>
  /** `<workspace>/<api>`. */
  readonly destination?: OneOrMore<string>
  readonly workspace?: OneOrMore<string>
  readonly operation?: OneOrMore<string>
  /** The name of an event or screen, the path of a page, the template of a message, the id of a broadcast. */
  readonly name?: OneOrMore<string>
  /** Identifiers of people: `u1`, `jane@example.com`, or with their kind, such as `phone:+4912345`. */
  readonly person?: OneOrMore<string>
  /** When the intents were enqueued; of delivered intents when they were delivered; of dead letters when they died. */
  readonly since?: Date | string
  /** Before this time, which does not belong to the range. */
  readonly until?: Date | string
}

/**
 * Which dead letters an operator means.
 *
 * @example
 * ```ts
 * import type { DeadLetterFilter } from 'customerio-outbox/operator'
 *
 * const filter: DeadLetterFilter = { reason: 'rejected', status: 400, message: 'attributes' }
 * ```
 */
export interface DeadLetterFilter extends IntentFilter {
  readonly reason?: OneOrMore<DeadLetterReason>
  /** HTTP status of the answer that rejected the intent. */
  readonly status?: OneOrMore<number>
  /** A part of the message, in any case. */
  readonly message?: string
}

/**
 * Whom to erase.
 *
 * @example
 * ```ts
 * import type { PersonFilter } from 'customerio-outbox/operator'
 *
 * const filter: PersonFilter = { person: ['u1', 'jane@example.com'] }
 * ```
 */
export interface PersonFilter {
  /** Every identifier of the person. */
  readonly person: OneOrMore<string>
  /** Default: every workspace. */
  readonly workspace?: OneOrMore<string>
}
