import { randomBytes } from 'node:crypto'
import type { Arrival } from '../model/operation.ts'
import { personKeyOf } from './people-store.ts'
import type { FakeAudience, FakeSendKind } from '../model/app-request.ts'

/** One transactional message that was accepted. There is no idempotency key: a request sent again is a second one. */
export interface FakeSend {
  /** 1 for the first since start or `reset()`, without gaps, over all kinds. */
  readonly ordinal: number
  /** The request that carried it: `ordinal` in `requests.recent`. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  readonly kind: FakeSendKind
  /** What the answer called it; never the same twice. */
  readonly deliveryId: string
  /** `to` of the body: an address, a phone number, a device. */
  readonly to: string | undefined
  /** Exactly one of `id`, `email`, `cio_id`. */
  readonly identifiers: Readonly<Record<string, unknown>>
  /** `id:u1`, `email:a@b.c` (lower case), `cio_id:…`. */
  readonly personKey: string
  /** The whole body. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One trigger of a broadcast that was accepted. Here, too, a request sent again is a second one. */
export interface FakeBroadcast {
  /** 1 for the first since start or `reset()`, without gaps. */
  readonly ordinal: number
  /** The request that carried it: `ordinal` in `requests.recent`. */
  readonly requestOrdinal: number
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  /** From the path. */
  readonly broadcastId: number
  /** The `id` of the answer. */
  readonly triggerId: number
  readonly audience: FakeAudience
  /** The whole body: `data`, the audience, the flags. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What the App API accepted, in order. */
export class AppJournal {
  readonly sends: FakeSend[] = []
  readonly broadcasts: FakeBroadcast[] = []
  readonly counts = { sends: 0, broadcasts: 0 }
  readonly #keeps: boolean

  constructor(keepOperations: boolean) {
    this.#keeps = keepOperations
  }

  /** Enters a checked send; returns the delivery's id. */
  send(kind: FakeSendKind, body: Readonly<Record<string, unknown>>, arrival: Arrival): string {
    this.counts.sends += 1
    const deliveryId = randomBytes(18).toString('base64url')
    if (!this.#keeps) return deliveryId
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

  /** Enters a checked trigger; returns its id. */
  trigger(
    broadcastId: number,
    audience: FakeAudience,
    body: Readonly<Record<string, unknown>>,
    arrival: Arrival,
  ): number {
    this.counts.broadcasts += 1
    const ordinal = this.counts.broadcasts
    if (this.#keeps)
      this.broadcasts.push({ ordinal, ...arrival, broadcastId, triggerId: ordinal, audience, body })
    return ordinal
  }
}
