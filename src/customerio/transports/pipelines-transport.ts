import { type AliasPayload, type BatchItem, PipelinesClient } from 'customerio-node'
import { apiOf } from '../../intent/operations.ts'
import type { PipelinesIntent } from '../../intent/pipelines-intents.ts'
import { jsonBytes } from '../../intent/size.ts'
import type { PipelinesCredentials } from '../credentials.ts'
import { createHttpClient } from '../http/client.ts'
import { recordBody } from './record-body.ts'
import { intentOf, failOperation, type StoredIntent } from './stored-intent.ts'
import { BATCH_LIMITS } from './request-limits.ts'
import type { Transport, WireItem } from './transport.ts'

/** A member of a batch, or an alias: the published batch format has no alias. */
export type PipelinesCall =
  | { readonly via: 'batch'; readonly item: BatchItem }
  | { readonly via: 'alias'; readonly payload: AliasPayload }

/**
 * Sends calls to the batch endpoint of the Pipelines API, and aliases to its alias endpoint.
 *
 * @param timeoutMs Milliseconds for one request, answer included.
 */
export function createPipelinesTransport(
  credentials: PipelinesCredentials,
  timeoutMs: number,
): Transport<PipelinesCall> {
  const { pipelinesWriteKey: key, pipelinesUrl: origin, region } = credentials
  const http = createHttpClient({ api: 'pipelinesUrl', region, origin, key, timeoutMs })
  return {
    limits: BATCH_LIMITS,
    prepare: (row) => toItem(toPipelinesIntent(row), row),
    send: (items) =>
      http.request(
        (defaults, prepare) =>
          perform(
            // Without strict mode the API answers 200 to a malformed or too large call, and drops it.
            prepare(new PipelinesClient(key, { ...defaults, strictMode: true })),
            items.map((item) => item.call),
          ),
        items.length,
      ),
    close: http.close,
  }
}

function perform(client: PipelinesClient, calls: readonly PipelinesCall[]): Promise<unknown> {
  const [only] = calls
  if (calls.length === 1 && only?.via === 'alias') return client.alias(only.payload)
  return client.batch(calls.map(itemOf))
}

function itemOf(call: PipelinesCall): BatchItem {
  if (call.via === 'batch') return call.item
  throw new TypeError('an alias must be sent alone')
}

function toPipelinesIntent(row: StoredIntent): PipelinesIntent {
  if (apiOf(row.operation) !== 'pipelines') failOperation(row, 'Pipelines')
  return intentOf(row) as PipelinesIntent
}

const recorder = new PipelinesClient('-')

/** The item has the envelope of customerio-node, with its context, so that `bytes` is the size that is sent. */
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
 * Whether an intent needs a request of its own, because it has a context or integrations. Customer.io documents: "In a
 * batch request, the context and integrations objects apply to all calls in the request".
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

/** Turns ids into strings, because Customer.io accepts no numbers. */
function withTextIds(message: PipelinesIntent['message']): object {
  const ids = Object.entries(message).filter(([field, value]) => field.endsWith('Id') && value !== undefined)
  return { ...message, ...Object.fromEntries(ids.map(([field, value]) => [field, String(value)])) }
}
