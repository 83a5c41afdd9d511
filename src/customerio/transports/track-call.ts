import { apiOf } from '../../intent/operations.ts'
import type { TrackAnonymousIntent, TrackApiIntent, TrackPushIntent } from '../../intent/intent.ts'
import { toUlid } from './ulid.ts'
import { type TrackFormOptions, type TrackV2Operation, toTrackOperation } from './track-operation.ts'
import { intentOf, failOperation, type StoredIntent } from './stored-intent.ts'

/** A call of the Track API: a member of a v2 batch, or a v1 call for an operation that v2 does not have. */
export type TrackCall =
  | { readonly via: 'batch'; readonly operation: TrackV2Operation }
  | { readonly via: 'trackAnonymous'; readonly anonymousId: string; readonly event: AnonymousEvent }
  | { readonly via: 'trackPush'; readonly metric: PushMetric }

export type AnonymousEvent = {
  readonly name: string
  readonly id: string
  readonly timestamp: number
  readonly data?: TrackAnonymousIntent['data']
}

export type PushMetric = {
  readonly delivery_id: string
  readonly device_id?: string
  readonly event: TrackPushIntent['event']
  readonly timestamp: number
}

/**
 * The call that delivers a stored intent. It is the same for every retry, redrive and replay.
 *
 * @throws {InvalidIntentError} for a row that cannot be sent.
 */
export function toTrackCall(row: StoredIntent, options: TrackFormOptions = {}): TrackCall {
  if (apiOf(row.operation) !== 'track') failOperation(row, 'Track')
  const intent = intentOf(row) as TrackApiIntent
  if (intent.operation === 'trackPush') return { via: 'trackPush', metric: metric(row, intent) }
  if (intent.operation === 'trackAnonymous' && !goesToV2(intent, options)) {
    return { via: 'trackAnonymous', anonymousId: intent.anonymousId, event: anonymousEvent(row, intent) }
  }
  return { via: 'batch', operation: toTrackOperation(row, intent, options) }
}

/** Whether an anonymous event goes to v2. An invite, an event without an anonymous id, exists in v1 only. */
function goesToV2({ anonymousId }: TrackAnonymousIntent, { anonymousOnV2 = false }: TrackFormOptions) {
  return anonymousOnV2 && anonymousId !== ''
}

function anonymousEvent(row: StoredIntent, { name, data, timestamp }: TrackAnonymousIntent): AnonymousEvent {
  const event = { name, id: toUlid(row.id), timestamp: timestamp ?? row.occurredAtSeconds }
  return data === undefined ? event : { ...event, data }
}

function metric(row: StoredIntent, { deliveryId, deviceId, event, timestamp }: TrackPushIntent): PushMetric {
  return {
    delivery_id: deliveryId,
    ...(deviceId === undefined ? {} : { device_id: deviceId }),
    event,
    timestamp: timestamp ?? row.occurredAtSeconds,
  }
}
