import { TrackClient } from 'customerio-node'
import type { WireText } from '../../intent/wire-text.ts'
import { jsonBytes, wireBytesAtMost } from '../../intent/size.ts'
import type { TrackCredentials } from '../credentials.ts'
import { createHttpClient } from '../http/client.ts'
import type { TrackFormOptions, TrackV2Operation } from './track-operation.ts'
import { recordBody, recordRequest } from './record-body.ts'
import { type TrackCall, toTrackCall } from './track-call.ts'
import type { StoredIntent } from './stored-intent.ts'
import { BATCH_LIMITS } from './request-limits.ts'
import type { Transport, WireItem } from './transport.ts'
import { batchBody, type TextCall, textItem, withEventId, withoutTimestamp } from './wire-text.ts'

/**
 * Sends operations to the batch endpoint of the Track API v2. Operations that v2 does not have go to v1.
 *
 * @param timeoutMs Milliseconds for one request, answer included.
 */
export function createTrackTransport(
  credentials: TrackCredentials,
  timeoutMs: number,
  options: TrackFormOptions = {},
): Transport<SentCall> {
  const { siteId, trackApiKey: key, trackUrl: origin, region } = credentials
  const http = createHttpClient({ api: 'trackUrl', region, origin, key, user: siteId, timeoutMs })
  const batchRequest = recordRequest(new TrackClient(siteId, key, http.defaults), (client) =>
    client.batch([{}]),
  )
  return {
    limits: BATCH_LIMITS,
    prepare: (row) => toItem(toTrackCall(row, options), row),
    prepareText(id, text) {
      const isKept = options.identifyTimestamp !== false
      return textItem(isKept ? withEventId(id, text) : withoutTimestamp(withEventId(id, text)))
    },
    send(items) {
      const [only] = items
      if (only && items.length === 1 && isOwnRequest(only.call)) {
        const { call } = only
        return http.request(
          (defaults, prepare) => perform(prepare(new TrackClient(siteId, key, defaults)), call),
          1,
        )
      }
      const body = batchBody(items.map(({ call }) => memberOf(call)))
      return http.post({ ...batchRequest, body }, items.length)
    },
    async checkCredential() {
      const { answer, json } = await http.requestJson((defaults, prepare) =>
        prepare(new TrackClient(siteId, key, defaults)).getAccountRegion(),
      )
      if (answer.kind === 'credential') return 'refused'
      // A gateway may answer 200 instead of Customer.io. Only an answer with the account's region counts.
      const region = (json as { readonly region?: unknown } | null | undefined)?.region
      return answer.kind === 'accepted' && typeof region === 'string' ? 'accepted' : 'unknown'
    },
    close: http.close,
  }
}

/** A call of the Track API, or a member of a batch that is sent as it is stored. */
type SentCall = TrackCall | TextCall
/** A call that is a request of its own. */
type OwnRequest = Exclude<TrackCall, { readonly via: 'batch' }>

const recorder = new TrackClient('', '')

function toItem(call: TrackCall, row: StoredIntent): WireItem<TrackCall> {
  if (call.via !== 'batch') {
    const bytes = jsonBytes(recordBody(recorder, (client) => perform(client, call)))
    return { bytes, maxBytes: bytes, batchable: false, barrier: false, call }
  }
  return new BatchMember(call, row)
}

/**
 * A member of a batch. It measures its bytes on the first read of `bytes`, which most batches never need: they reach their
 * maximum count before they could be too large. Measuring writes the JSON, which the request writes again.
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

function perform(client: TrackClient, call: OwnRequest): Promise<unknown> {
  return call.via === 'trackPush'
    ? client.trackPush(call.metric)
    : client.trackAnonymous(call.anonymousId, call.event)
}

function isOwnRequest(call: SentCall): call is OwnRequest {
  return call.via === 'trackPush' || call.via === 'trackAnonymous'
}

function memberOf(call: SentCall): WireText | TrackV2Operation {
  if (isOwnRequest(call)) throw new TypeError(`${call.via} must be sent alone`)
  return call.via === 'text' ? call.text : call.operation
}

const BARRIERS = new Set(['merge', 'delete', 'suppress', 'unsuppress'])

/** Whether Customer.io may apply the operation out of order with operations that are sent at the same time. */
function isBarrier({ action }: TrackV2Operation): boolean {
  return BARRIERS.has(action)
}
