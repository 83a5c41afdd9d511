import { isDeepStrictEqual } from 'node:util'
import { messageKeyOf } from '../checks/check-message.ts'
import type { Arrival, FakeOperation, Refusal } from '../model/operation.ts'
import type { OrderCheck } from './order-check.ts'

/** One message of the Pipelines API that took effect. */
export interface FakeMessage {
  /** Position among the applied messages since start or `reset()`: 1 for the first, without gaps. */
  readonly ordinal: number
  /** The request that carried it: `ordinal` in `requests.recent`. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  readonly type: 'identify' | 'track' | 'page' | 'screen' | 'group' | 'alias'
  /** `userId:u1`, else `anonymousId:…`. For a message without both: `groupId:…`, `email:…` or `unknown`. */
  readonly personKey: string
  /** The `event` of a track, or the `name` of a page or a screen. */
  readonly name: string | undefined
  readonly messageId: string | undefined
  /** The message's own time, unchanged. */
  readonly timestamp: string | undefined
  /** The whole message. */
  readonly body: Readonly<Record<string, unknown>>
  readonly duplicate: false
}

/** A message that the fake dropped because of a repeated `messageId`. The answer is the same as for an applied one. */
export interface DuplicateMessage extends Omit<FakeMessage, 'ordinal' | 'duplicate'> {
  readonly duplicate: true
  /** The `ordinal` of the message that took effect. */
  readonly firstOrdinal: number
  /** Whether the body equals that of the first message. Undefined with `keepOperations: false`. */
  readonly sameBody: boolean | undefined
}

/** A message that strict mode would have refused. Without `X-Strict-Mode: 1` it was answered 200 and lost. */
export interface DroppedMessage {
  /** The request that carried it: `ordinal` in `requests.recent`. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  /** The message, unchanged. Undefined if the request as a whole could not be read. */
  readonly body: unknown
  /** The refusal that strict mode answers. `reason` is `unauthorized` for a wrong write key. */
  readonly why: Refusal
}

/** The messages that the Pipelines API applied, dropped as duplicates, and lost, each in order. */
export class PipelinesJournal {
  readonly applied: FakeMessage[] = []
  readonly duplicates: DuplicateMessage[] = []
  readonly dropped: DroppedMessage[] = []
  readonly counts = { applied: 0, duplicates: 0, dropped: 0 }
  readonly #keepOperations: boolean
  readonly #order: OrderCheck
  readonly #ordinalOfMessageId = new Map<string, number>()

  constructor(keepOperations: boolean, order: OrderCheck) {
    this.#keepOperations = keepOperations
    this.#order = order
  }

  /** Records a checked message as applied or as a duplicate. */
  record(operation: FakeOperation, arrival: Arrival): void {
    const entry = describe(operation, arrival)
    const { messageId } = entry
    const firstOrdinal = messageId === undefined ? undefined : this.#ordinalOfMessageId.get(messageId)
    if (firstOrdinal !== undefined) {
      this.counts.duplicates += 1
      if (!this.#keepOperations) return
      const sameBody = isDeepStrictEqual(this.applied[firstOrdinal - 1]?.body, entry.body)
      this.duplicates.push({ ...entry, duplicate: true, firstOrdinal, sameBody })
      return
    }
    this.counts.applied += 1
    const ordinal = this.counts.applied
    if (messageId !== undefined) this.#ordinalOfMessageId.set(messageId, ordinal)
    if (this.#keepOperations) this.applied.push({ ordinal, ...entry, duplicate: false })
    this.#order.record(operation, entry.personKey, ordinal)
  }

  drop(body: unknown, why: Refusal, arrival: Arrival): void {
    this.counts.dropped += 1
    if (this.#keepOperations) this.dropped.push({ ...arrival, body, why })
  }
}

function describe({ kind, body = {} }: FakeOperation, arrival: Arrival) {
  const name = kind === 'track' ? body.event : body.name
  return {
    ...arrival,
    type: kind as FakeMessage['type'],
    personKey: messageKeyOf(body),
    name: name as string | undefined,
    messageId: body.messageId as string | undefined,
    timestamp: body.timestamp as string | undefined,
    body,
  }
}
