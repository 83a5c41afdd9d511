import { type BatchOperation, TrackClient } from 'customerio-node'
import { MAX_BATCH_BYTES, MAX_BATCH_COUNT, MAX_OPERATION_BYTES } from '../../intent/limits.ts'
import { jsonBytes, wireBytesAtMost } from '../../intent/size.ts'
import { credentialEncodings } from '../credential-encodings.ts'
import type { TrackCredentials } from '../credentials.ts'
import { createHttpClient, regionOf } from '../http/client.ts'
import type { TrackFormOptions, TrackV2Operation } from './track-operation.ts'
import { recordBody } from './record-body.ts'
import { type TrackCall, toTrackCall } from './track-call.ts'
import type { StoredIntent } from './stored-intent.ts'
import type { Transport, WireItem } from './transport.ts'

/**
 * The Track API: v2's batch endpoint, and v1 for what v2 has no form for.
 *
 * @param timeoutMs Of one request, answer included.
 */
export function createTrackTransport(
  credentials: TrackCredentials,
  timeoutMs: number,
  options: TrackFormOptions = {},
): Transport<TrackCall> {
  const region = regionOf(credentials.region)
  const exchange = createHttpClient(
    credentialEncodings(credentials.trackApiKey, credentials.siteId),
    region,
    region.trackUrl,
    credentials.trackUrl,
    timeoutMs,
  )
  return {
    limits: {
      count: MAX_BATCH_COUNT,
      bytes: MAX_BATCH_BYTES - jsonBytes({ batch: [] }),
      itemBytes: MAX_OPERATION_BYTES,
    },
    prepare: (row) => toItem(toTrackCall(row, options), row),
    send: (items) =>
      exchange.request(
        (defaults) =>
          perform(
            new TrackClient(credentials.siteId, credentials.trackApiKey, defaults),
            items.map((item) => item.call),
          ),
        items.length,
      ),
    async checkCredential() {
      const { answer, json } = await exchange.requestJson((defaults) =>
        new TrackClient(credentials.siteId, credentials.trackApiKey, defaults).getAccountRegion(),
      )
      if (answer.kind === 'credential') return 'refused'
      // A gateway may answer 200 for Customer.io: only an answer that names the account's region counts.
      const region = (json as { readonly region?: unknown } | null | undefined)?.region
      return answer.kind === 'accepted' && typeof region === 'string' ? 'accepted' : 'unknown'
    },
    close: exchange.close,
  }
}

const recorder = new TrackClient('', '')

function toItem(call: TrackCall, row: StoredIntent): WireItem<TrackCall> {
  if (call.via !== 'batch') {
    const bytes = jsonBytes(recordBody(recorder, (client) => perform(client, [call])))
    return { bytes, maxBytes: bytes, batchable: false, barrier: false, call }
  }
  return new BatchMember(call, row)
}

/**
 * Its bytes are measured where they are asked for: they take its JSON, which is written again for the request, and most
 * batches are full before they could be too large.
 */
class BatchMember implements WireItem<TrackCall> {
  readonly call: Extract<TrackCall, { readonly via: 'batch' }>
  readonly barrier: boolean
  readonly #known: number | undefined
  #bytes: number | undefined

  constructor(
    call: Extract<TrackCall, { readonly via: 'batch' }>,
    { operation, payloadBytes }: StoredIntent,
  ) {
    this.call = call
    this.barrier = isBarrier(call.operation)
    this.#known = payloadBytes === undefined ? undefined : wireBytesAtMost(operation, payloadBytes)
  }

  get batchable(): boolean {
    return !this.barrier
  }

  get bytes(): number {
    this.#bytes ??= jsonBytes(this.call.operation)
    return this.#bytes
  }

  get maxBytes(): number {
    return this.#known ?? this.bytes
  }
}

function perform(client: TrackClient, calls: readonly TrackCall[]): Promise<unknown> {
  const [only] = calls
  if (calls.length === 1 && only?.via === 'trackAnonymous') {
    return client.trackAnonymous(only.anonymousId, only.event)
  }
  if (calls.length === 1 && only?.via === 'trackPush') return client.trackPush(only.metric)
  return client.batch(calls.map(operationOf))
}

function operationOf(call: TrackCall): BatchOperation {
  if (call.via === 'batch') return call.operation as BatchOperation
  throw new TypeError(`${call.via} shares no request with others`)
}

const BARRIERS = new Set(['merge', 'delete', 'suppress', 'unsuppress'])

/** These race with what surrounds them on Customer.io's side. */
function isBarrier({ action }: TrackV2Operation): boolean {
  return BARRIERS.has(action)
}
