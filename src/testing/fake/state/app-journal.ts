import { randomBytes } from 'node:crypto'
import type { Arrival } from '../model/operation.ts'
import { personKeyOf } from './people-store.ts'
import type { FakeAudience, FakeSendKind } from '../model/app-request.ts'

/** One accepted transactional message. The App API has no idempotency key, so a repeated request is a second message. */
export interface FakeSend {
  /** Position among the sends of all kinds since start or `reset()`: 1 for the first, without gaps. */
  readonly ordinal: number
  /** `ordinal` in `requests.recent` of the request that carried the send. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  readonly kind: FakeSendKind
  /** The `delivery_id` of the answer, unique. */
  readonly deliveryId: string
  /** `to` of the body: an email address, a phone number or a device. */
  readonly to: string | undefined
  /** Exactly one of `id`, `email`, `cio_id`. */
  readonly identifiers: Readonly<Record<string, unknown>>
  /** `id:u1`, `email:a@b.c` (lower case), `cio_id:…`. */
  readonly personKey: string
  /** The whole body. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One accepted broadcast trigger. The App API has no idempotency key, so a repeated request is a second trigger. */
export interface FakeBroadcast {
  /** Position among the triggers since start or `reset()`: 1 for the first, without gaps. */
  readonly ordinal: number
  /** `ordinal` in `requests.recent` of the request that carried the trigger. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  /** The broadcast's number in the path. */
  readonly broadcastId: number
  /** The `id` of the answer. */
  readonly triggerId: number
  readonly audience: FakeAudience
  /** The whole body: `data`, the audience and the flags. */
  readonly body: Readonly<Record<string, unknown>>
}

/** The sends and triggers that the App API accepted, in order. */
export class AppJournal {
  readonly sends: FakeSend[] = []
  readonly broadcasts: FakeBroadcast[] = []
  readonly counts = { sends: 0, broadcasts: 0 }
  readonly #keepOperations: boolean

  constructor(keepOperations: boolean) {
    this.#keepOperations = keepOperations
  }

  /** Records a checked send and returns its delivery id. */
  send(kind: FakeSendKind, body: Readonly<Record<string, unknown>>, arrival: Arrival): string {
    this.counts.sends += 1
    const deliveryId = randomBytes(18).toString('base64url')
    if (!this.#keepOperations) return deliveryId
    const identifiers = body.identifiers as Readonly<Record<string, unknown>>
    this.sends.push({
      ordinal: this.counts.sends,
      ...arrival,
      kind,
      deliveryId,
      to: body.to as string | undefined,
      identifiers,
      personKey: personKeyOf(identifiers),
      body,
    })
    return deliveryId
  }

  /** Records a checked trigger and returns its id. */
  trigger(
    broadcastId: number,
    audience: FakeAudience,
    body: Readonly<Record<string, unknown>>,
    arrival: Arrival,
  ): number {
    this.counts.broadcasts += 1
    const ordinal = this.counts.broadcasts
    if (this.#keepOperations)
      this.broadcasts.push({ ordinal, ...arrival, broadcastId, triggerId: ordinal, audience, body })
    return ordinal
  }
}
