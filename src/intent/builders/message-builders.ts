import type { JsonData } from '../json-types.ts'
import type {
  BroadcastRecipients,
  EmailMessage,
  SendEmailIntent,
  SendInAppIntent,
  SendInboxMessageIntent,
  SendPushIntent,
  SendSMSIntent,
  TriggerBroadcastIntent,
} from '../message-intents.ts'

/**
 * Attachments by file name: the bytes of a file, or text in base64.
 */
export type Attachments = Readonly<Record<string, Uint8Array | string>>

/**
 * Sends a transactional email. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param message Options of `new SendEmailRequest(…)` of customerio-node. Either a template's `transactional_message_id`, or
 * `body`, `subject` and `from`.
 * @param attachments Bytes, or text that is base64 already. At most 2,000,000 bytes in all, before base64.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const message = { to: user.email, identifiers: { id: user.id }, transactional_message_id: 'order_receipt' }
 * await outbox.enqueue(tx, intents.sendEmail(message, { 'order.txt': Buffer.from('1 teapot') }))
 * ```
 */
export function sendEmail(message: EmailMessage, attachments?: Attachments): SendEmailIntent {
  if (attachments === undefined) return { operation: 'sendEmail', message }
  const encoded = Object.entries(attachments).map(([name, content]) => [name, toBase64(content)])
  const all = { ...message.attachments, ...Object.fromEntries(encoded) }
  return { operation: 'sendEmail', message: { ...message, attachments: all } }
}

/**
 * Sends a transactional push notification. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param message Options of `new SendPushRequest(…)` of customerio-node: a `transactional_message_id` and the `identifiers` of the person.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const message = { identifiers: { id: user.id }, transactional_message_id: 'order_shipped' }
 * await outbox.enqueue(tx, intents.sendPush(message))
 * ```
 */
export function sendPush(message: SendPushIntent['message']): SendPushIntent {
  return { operation: 'sendPush', message }
}

/**
 * Sends a transactional SMS. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param message Options of `new SendSMSRequest(…)` of customerio-node: a `transactional_message_id` and the `identifiers` of the person.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const message = { identifiers: { id: user.id }, transactional_message_id: 'order_shipped' }
 * await outbox.enqueue(tx, intents.sendSMS(message))
 * ```
 */
export function sendSMS(message: SendSMSIntent['message']): SendSMSIntent {
  return { operation: 'sendSMS', message }
}

/**
 * Sends a transactional inbox message. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param message Options of `new SendInboxMessageRequest(…)` of customerio-node: a `transactional_message_id` and the `identifiers` of the person.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const message = { identifiers: { id: user.id }, transactional_message_id: 'order_shipped' }
 * await outbox.enqueue(tx, intents.sendInboxMessage(message))
 * ```
 */
export function sendInboxMessage(message: SendInboxMessageIntent['message']): SendInboxMessageIntent {
  return { operation: 'sendInboxMessage', message }
}

/**
 * Sends a transactional in-app message. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param message Options of `new SendInAppRequest(…)` of customerio-node: a `transactional_message_id` and the `identifiers` of the person.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const message = { identifiers: { id: user.id }, transactional_message_id: 'order_shipped' }
 * await outbox.enqueue(tx, intents.sendInApp(message))
 * ```
 */
export function sendInApp(message: SendInAppIntent['message']): SendInAppIntent {
  return { operation: 'sendInApp', message }
}

/**
 * Triggers a broadcast. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`.
 *
 * @param broadcastId Id of the broadcast.
 * @param data Available as `trigger` in the messages of the broadcast.
 * @param recipients Replaces the recipients that are configured for the broadcast.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.triggerBroadcast(7, { headline: 'Sale' }, { ids: [user.id] }))
 * ```
 */
export function triggerBroadcast<Data = never>(
  broadcastId: string | number,
  data?: JsonData<Data> | undefined,
  recipients?: BroadcastRecipients,
): TriggerBroadcastIntent<Exclude<Data, undefined>> {
  return {
    operation: 'triggerBroadcast',
    broadcastId,
    ...(data === undefined ? {} : { data: data as Exclude<Data, undefined> }),
    ...(recipients === undefined ? {} : { recipients }),
  }
}

function toBase64(content: Uint8Array | string): string {
  return typeof content === 'string' ? content : Buffer.from(content).toString('base64')
}
