import { APIClient } from 'customerio-node'
import type { TriggerBroadcastIntent } from '../../intent/message-intents.ts'
import { jsonBytes } from '../../intent/size.ts'
import type { AppCredentials } from '../credentials.ts'
import { createHttpClient } from '../http/client.ts'
import { recordBody } from './record-body.ts'
import { intentOf, failOperation, type StoredIntent } from './stored-intent.ts'
import { MESSAGE_LIMITS, onlyItem } from './request-limits.ts'
import type { Transport } from './transport.ts'

/** One trigger of a broadcast. */
export type BroadcastCall = Pick<TriggerBroadcastIntent, 'broadcastId' | 'data' | 'recipients'>

/**
 * Triggers broadcasts through the App API: one request per broadcast. The API has no idempotency key. Broadcasts are a
 * destination apart from messages because Customer.io limits their rate separately.
 *
 * @param timeoutMs Milliseconds for one request, answer included.
 */
export function createBroadcastTransport(
  credentials: AppCredentials,
  timeoutMs: number,
): Transport<BroadcastCall> {
  const { appApiKey: key, appUrl: origin, region } = credentials
  const http = createHttpClient({ api: 'apiUrl', region, origin, key, timeoutMs })
  return {
    limits: MESSAGE_LIMITS,
    prepare(row) {
      const call = toBroadcastCall(row)
      const bytes = jsonBytes(recordBody(recorder, (client) => perform(client, call)))
      return { bytes, maxBytes: bytes, batchable: false, barrier: false, call }
    },
    send: (items) =>
      http.request(
        (defaults, prepare) => perform(prepare(new APIClient(key, defaults)), onlyItem(items).call),
        items.length,
      ),
    close: http.close,
  }
}

const recorder = new APIClient('')

function perform(client: APIClient, { broadcastId, data, recipients }: BroadcastCall): Promise<unknown> {
  return client.triggerBroadcast(broadcastId, data, recipients)
}

function toBroadcastCall(row: StoredIntent): BroadcastCall {
  const intent = row.operation === 'triggerBroadcast' ? intentOf(row) : undefined
  if (intent?.operation !== 'triggerBroadcast') return failOperation(row, 'broadcast')
  const { operation: _operation, ...call } = intent
  return call
}
