import {
  APIClient,
  SendEmailRequest,
  type SendEmailRequestOptions,
  SendInAppRequest,
  SendInboxMessageRequest,
  SendPushRequest,
  SendSMSRequest,
} from 'customerio-node'
import { MAX_MESSAGE_BYTES } from '../../intent/limits.ts'
import type { MessageIntent, SendEmailIntent, SendPushIntent } from '../../intent/message-intents.ts'
import { apiOf } from '../../intent/operations.ts'
import { jsonBytes } from '../../intent/size.ts'
import { credentialEncodings } from '../credential-encodings.ts'
import type { AppCredentials } from '../credentials.ts'
import { APP_CONTENT_STATUSES, createHttpClient, regionOf } from '../http/client.ts'
import { intentOf, refuseOperation, type StoredIntent } from './stored-intent.ts'
import type { Transport } from './transport.ts'

/** A transactional message as one of customerio-node's requests. */
export type AppCall =
  | { readonly via: 'sendEmail'; readonly request: SendEmailRequest }
  | { readonly via: 'sendPush'; readonly request: SendPushRequest }
  | { readonly via: 'sendSMS'; readonly request: SendSMSRequest }
  | { readonly via: 'sendInboxMessage'; readonly request: SendInboxMessageRequest }
  | { readonly via: 'sendInApp'; readonly request: SendInAppRequest }

/**
 * The App API's transactional messages: one request each, without an idempotency key.
 *
 * @param timeoutMs Of one request, answer included.
 */
export function createAppTransport(credentials: AppCredentials, timeoutMs: number): Transport<AppCall> {
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
      const call = toAppCall(row)
      const bytes = jsonBytes(call.request.message)
      return { bytes, maxBytes: bytes, batchable: false, barrier: false, call }
    },
    send: (items) =>
      exchange.request((defaults) => {
        const [only, ...others] = items
        if (only === undefined || others.length > 0) throw new TypeError('a message goes alone')
        return perform(new APIClient(credentials.appApiKey, defaults), only.call)
      }, items.length),
    close: exchange.close,
  }
}

function perform(client: APIClient, call: AppCall): Promise<unknown> {
  switch (call.via) {
    case 'sendEmail':
      return client.sendEmail(call.request)
    case 'sendPush':
      return client.sendPush(call.request)
    case 'sendSMS':
      return client.sendSMS(call.request)
    case 'sendInboxMessage':
      return client.sendInboxMessage(call.request)
    case 'sendInApp':
      return client.sendInApp(call.request)
  }
}

function toAppCall(row: StoredIntent): AppCall {
  if (apiOf(row.operation) !== 'app') refuseOperation(row, 'App')
  const intent = withTextId(intentOf(row) as MessageIntent)
  switch (intent.operation) {
    case 'sendEmail':
      return { via: 'sendEmail', request: email(intent) }
    case 'sendPush':
      return { via: 'sendPush', request: push(intent) }
    case 'sendSMS':
      return { via: 'sendSMS', request: new SendSMSRequest(intent.message) }
    case 'sendInboxMessage':
      return { via: 'sendInboxMessage', request: new SendInboxMessageRequest(intent.message) }
    case 'sendInApp':
      return { via: 'sendInApp', request: new SendInAppRequest(intent.message) }
  }
}

function email({ message }: SendEmailIntent): SendEmailRequest {
  const { attachments, ...options } = message
  const request = new SendEmailRequest(options as SendEmailRequestOptions)
  // Not by its `attach`, which takes a name such as `valueOf` for one that was attached before.
  if (attachments && Object.keys(attachments).length > 0) request.message.attachments = { ...attachments }
  return request
}

/** `custom_device` is what the API calls `device`: customerio-node takes the second and sends the first. */
function push({ message }: SendPushIntent): SendPushRequest {
  const { custom_device, ...options } = message
  return new SendPushRequest(custom_device === undefined ? options : { ...options, device: custom_device })
}

/** Customer.io takes an id as text only. */
function withTextId<T extends MessageIntent>(intent: T): T {
  const { identifiers } = intent.message
  if (!('id' in identifiers)) return intent
  return { ...intent, message: { ...intent.message, identifiers: { id: String(identifiers.id) } } }
}
