import {
  APIClient,
  SendEmailRequest,
  type SendEmailRequestOptions,
  SendInAppRequest,
  SendInboxMessageRequest,
  SendPushRequest,
  SendSMSRequest,
} from 'customerio-node'
import type { MessageIntent, SendEmailIntent, SendPushIntent } from '../../intent/message-intents.ts'
import { apiOf } from '../../intent/operations.ts'
import { jsonBytes } from '../../intent/size.ts'
import type { AppCredentials } from '../credentials.ts'
import { createHttpClient } from '../http/client.ts'
import { intentOf, failOperation, type StoredIntent } from './stored-intent.ts'
import { MESSAGE_LIMITS, onlyItem } from './request-limits.ts'
import type { Transport } from './transport.ts'

/** A transactional message as a request of customerio-node. */
export type AppCall =
  | { readonly via: 'sendEmail'; readonly request: SendEmailRequest }
  | { readonly via: 'sendPush'; readonly request: SendPushRequest }
  | { readonly via: 'sendSMS'; readonly request: SendSMSRequest }
  | { readonly via: 'sendInboxMessage'; readonly request: SendInboxMessageRequest }
  | { readonly via: 'sendInApp'; readonly request: SendInAppRequest }

/**
 * Sends transactional messages through the App API: one request per message. The API has no idempotency key.
 *
 * @param timeoutMs Milliseconds for one request, answer included.
 */
export function createAppTransport(credentials: AppCredentials, timeoutMs: number): Transport<AppCall> {
  const { appApiKey: key, appUrl: origin, region } = credentials
  const http = createHttpClient({ api: 'apiUrl', region, origin, key, timeoutMs })
  return {
    limits: MESSAGE_LIMITS,
    prepare(row) {
      const call = toAppCall(row)
      const bytes = jsonBytes(call.request.message)
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
  if (apiOf(row.operation) !== 'app') failOperation(row, 'App')
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
  // `request.attach` is not used, because it treats a name such as `valueOf` as attached already.
  if (attachments && Object.keys(attachments).length > 0) request.message.attachments = { ...attachments }
  return request
}

/** An intent has `custom_device`, the name that the API documents. customerio-node calls the option `device`. */
function push({ message }: SendPushIntent): SendPushRequest {
  const { custom_device, ...options } = message
  return new SendPushRequest(custom_device === undefined ? options : { ...options, device: custom_device })
}

/** Turns an id into a string, because Customer.io accepts no number. */
function withTextId<T extends MessageIntent>(intent: T): T {
  const { identifiers } = intent.message
  if (!('id' in identifiers)) return intent
  return { ...intent, message: { ...intent.message, identifiers: { id: String(identifiers.id) } } }
}
