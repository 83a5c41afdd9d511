import { type AliasPayload, type BatchItem, PipelinesClient } from 'customerio-node'
import { MAX_BATCH_BYTES, MAX_BATCH_COUNT, MAX_OPERATION_BYTES } from '../../intent/limits.ts'
import { apiOf } from '../../intent/operations.ts'
import type { PipelinesIntent } from '../../intent/pipelines-intents.ts'
import { jsonBytes } from '../../intent/size.ts'
import { credentialEncodings } from '../credential-encodings.ts'
import type { PipelinesCredentials } from '../credentials.ts'
import { createHttpClient, regionOf } from '../http/client.ts'
import { recordBody } from './record-body.ts'
import { intentOf, refuseOperation, type StoredIntent } from './stored-intent.ts'
import type { Transport, WireItem } from './transport.ts'

/** A member of a batch; or an alias, which the published batch has no form for. */
export type PipelinesCall =
  | { readonly via: 'batch'; readonly item: BatchItem }
  | { readonly via: 'alias'; readonly payload: AliasPayload }

/**
 * The Pipelines API's batch endpoint, and its alias endpoint.
 *
 * @param timeoutMs Of one request, answer included.
 */
export function createPipelinesTransport(
  credentials: PipelinesCredentials,
  timeoutMs: number,
): Transport<PipelinesCall> {
  const region = regionOf(credentials.region)
  const exchange = createHttpClient(
    credentialEncodings(credentials.pipelinesWriteKey),
    region,
    region.pipelinesUrl,
    credentials.pipelinesUrl,
    timeoutMs,
  )
  const { pipelinesWriteKey } = credentials
  return {
    limits: {
      count: MAX_BATCH_COUNT,
      bytes: MAX_BATCH_BYTES - jsonBytes({ batch: [] }),
      itemBytes: MAX_OPERATION_BYTES,
    },
    prepare: (row) => toItem(toPipelinesIntent(row), row),
    send: (items) =>
      exchange.request(
        (defaults) =>
          perform(
            // Otherwise it answers 200 to what is malformed or over a limit, and drops it.
            new PipelinesClient(pipelinesWriteKey, { ...defaults, strictMode: true }),
            items.map((item) => item.call),
          ),
        items.length,
      ),
    close: exchange.close,
  }
}

function perform(client: PipelinesClient, calls: readonly PipelinesCall[]): Promise<unknown> {
  const [only] = calls
  if (calls.length === 1 && only?.via === 'alias') return client.alias(only.payload)
  return client.batch(calls.map(itemOf))
}

function itemOf(call: PipelinesCall): BatchItem {
  if (call.via === 'batch') return call.item
  throw new TypeError('an alias shares no request with others')
}

function toPipelinesIntent(row: StoredIntent): PipelinesIntent {
  if (apiOf(row.operation) !== 'pipelines') refuseOperation(row, 'Pipelines')
  return intentOf(row) as PipelinesIntent
}

const recorder = new PipelinesClient('-')

/** With customerio-node's envelope around it, context included, so that its size is the one that is sent. */
function toItem(intent: PipelinesIntent, row: StoredIntent): WireItem<PipelinesCall> {
  const call = toCall(intent, row)
  const body = recordBody(recorder, (client) => perform(client, [call]))
  if (call.via === 'alias') {
    const payload = body as AliasPayload
    const bytes = jsonBytes(payload)
    return { bytes, maxBytes: bytes, batchable: false, barrier: true, call: { via: 'alias', payload } }
  }
  const [item] = (body as { readonly batch: readonly [BatchItem] }).batch
  const batchable = !hasOwnContext(intent)
  const bytes = jsonBytes(item)
  return { bytes, maxBytes: bytes, batchable, barrier: false, call: { via: 'batch', item } }
}

/**
 * "In a batch request, the context and integrations objects apply to all calls in the request": whoever gives
 * their own travels without others.
 */
function hasOwnContext({ message }: PipelinesIntent): boolean {
  return message.context !== undefined || message.integrations !== undefined
}

function toCall({ operation, message }: PipelinesIntent, row: StoredIntent): PipelinesCall {
  const payload = {
    ...withTextIds(message),
    messageId: row.id,
    timestamp: message.timestamp ?? new Date(row.occurredAtSeconds * 1000).toISOString(),
  }
  if (operation === 'pipelines.alias') return { via: 'alias', payload: payload as AliasPayload }
  const type = operation.slice('pipelines.'.length)
  return { via: 'batch', item: { ...payload, type } as BatchItem }
}

/** Customer.io takes an id as text only. */
function withTextIds(message: PipelinesIntent['message']): object {
  const ids = Object.entries(message).filter(([field, value]) => field.endsWith('Id') && value !== undefined)
  return { ...message, ...Object.fromEntries(ids.map(([field, value]) => [field, String(value)])) }
}
