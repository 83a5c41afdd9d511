import { APIClient } from 'customerio-node'
import { MAX_MESSAGE_BYTES } from '../../intent/limits.ts'
import type { TriggerBroadcastIntent } from '../../intent/message-intents.ts'
import { jsonBytes } from '../../intent/size.ts'
import { credentialEncodings } from '../credential-encodings.ts'
import type { AppCredentials } from '../credentials.ts'
import { APP_CONTENT_STATUSES, createHttpClient, regionOf } from '../http/client.ts'
import { recordBody } from './record-body.ts'
import { intentOf, refuseOperation, type StoredIntent } from './stored-intent.ts'
import type { Transport } from './transport.ts'

/** One trigger of a broadcast. */
export type BroadcastCall = Pick<TriggerBroadcastIntent, 'broadcastId' | 'data' | 'recipients'>

/**
 * The App API's broadcasts: one request each, without an idempotency key, and at a rate of their own, which is
 * why they are a destination of their own.
 *
 * @param timeoutMs Of one request, answer included.
 */
export function createBroadcastTransport(
  credentials: AppCredentials,
  timeoutMs: number,
): Transport<BroadcastCall> {
  const region = regionOf(credentials.region)
  const exchange = createHttpClient(
    credentialEncodings(credentials.appApiKey),
    region,
    region.apiUrl,
    credentials.appUrl,
    timeoutMs,
    APP_CONTENT_STATUSES,
  )
  return {
    limits: { count: 1, bytes: MAX_MESSAGE_BYTES, itemBytes: MAX_MESSAGE_BYTES },
    prepare(row) {
      const call = toBroadcastCall(row)
      const body = recordBody(recorder, (client) => perform(client, call))
      const bytes = jsonBytes(body)
      return { bytes, maxBytes: bytes, batchable: false, barrier: false, call }
    },
    send: (items) =>
      exchange.request((defaults) => {
        const [only, ...others] = items
        if (only === undefined || others.length > 0) throw new TypeError('a broadcast goes alone')
        return perform(new APIClient(credentials.appApiKey, defaults), only.call)
      }, items.length),
    close: exchange.close,
  }
}

const recorder = new APIClient('')

function perform(client: APIClient, { broadcastId, data, recipients }: BroadcastCall): Promise<unknown> {
  return client.triggerBroadcast(broadcastId, data, recipients)
}

function toBroadcastCall(row: StoredIntent): BroadcastCall {
  const intent = row.operation === 'triggerBroadcast' ? intentOf(row) : undefined
  if (intent?.operation !== 'triggerBroadcast') return refuseOperation(row, 'broadcast')
  const { operation: _operation, ...call } = intent
  return call
}
