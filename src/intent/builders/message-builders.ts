import type { JsonObject } from '../json-types.ts'
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

/** Attachments by file name: a file's bytes, which are put into base64, or text that is base64 already. */
export type Attachments = Readonly<Record<string, Uint8Array | string>>

/**
 * Sends a transactional email. `message`: what `new SendEmailRequest(…)` takes, a template's
 * `transactional_message_id` or `body`, `subject` and `from`. `attachments`: at most 2,000,000 bytes in all.
 *
 * Customer.io has no way to recognise a second send as a duplicate: see `onAmbiguous`.
 */
export function sendEmail(message: EmailMessage, attachments?: Attachments): SendEmailIntent {
  if (attachments === undefined) return { operation: 'sendEmail', message }
  const encoded = Object.entries(attachments).map(([name, content]) => [name, toBase64(content)])
  const all = { ...message.attachments, ...Object.fromEntries(encoded) }
  return { operation: 'sendEmail', message: { ...message, attachments: all } }
}

/** Sends a transactional push notification. `message`: what `new SendPushRequest(…)` takes. */
export function sendPush(message: SendPushIntent['message']): SendPushIntent {
  return { operation: 'sendPush', message }
}

/** Sends a transactional SMS. `message`: what `new SendSMSRequest(…)` takes. */
export function sendSMS(message: SendSMSIntent['message']): SendSMSIntent {
  return { operation: 'sendSMS', message }
}

/** Sends a transactional inbox message. `message`: what `new SendInboxMessageRequest(…)` takes. */
export function sendInboxMessage(message: SendInboxMessageIntent['message']): SendInboxMessageIntent {
  return { operation: 'sendInboxMessage', message }
}

/** Sends a transactional in-app message. `message`: what `new SendInAppRequest(…)` takes. */
export function sendInApp(message: SendInAppIntent['message']): SendInAppIntent {
  return { operation: 'sendInApp', message }
}

/**
 * Triggers a broadcast. `data`: what its messages read as `trigger`. `recipients`: who it goes to instead of the
 * recipients that it is configured with.
 */
export function triggerBroadcast(
  broadcastId: string | number,
  data?: JsonObject,
  recipients?: BroadcastRecipients,
): TriggerBroadcastIntent {
  return {
    operation: 'triggerBroadcast',
    broadcastId,
    ...(data === undefined ? {} : { data }),
    ...(recipients === undefined ? {} : { recipients }),
  }
}

function toBase64(content: Uint8Array | string): string {
  return typeof content === 'string' ? content : Buffer.from(content).toString('base64')
}
