/**
 * Intents for the App API: transactional messages and broadcasts, one request each. The types come from customerio-node,
 * so that the options of its request constructors can be enqueued without changes.
 */
import type {
  SendEmailRequestOptions,
  SendInAppRequestOptions,
  SendInboxMessageRequestOptions,
  SendPushRequestOptions,
  SendSMSRequestOptions,
} from 'customerio-node'
import type { JsonObject } from './json-types.ts'

/** Options of `new SendEmailRequest(…)`, and the attachments that its `attach` adds. */
export type EmailMessage = SendEmailRequestOptions & {
  /** Contents in base64 by file name. At most 2,000,000 bytes in all, before base64. */
  readonly attachments?: Readonly<Record<string, string>>
}

export type SendEmailIntent = {
  readonly operation: 'sendEmail'
  readonly message: EmailMessage
}

export type SendPushIntent = {
  readonly operation: 'sendPush'
  /** Options of `new SendPushRequest(…)`. */
  readonly message: SendPushRequestOptions
}

export type SendSMSIntent = {
  readonly operation: 'sendSMS'
  /** Options of `new SendSMSRequest(…)`. */
  readonly message: SendSMSRequestOptions
}

export type SendInboxMessageIntent = {
  readonly operation: 'sendInboxMessage'
  /** Options of `new SendInboxMessageRequest(…)`. */
  readonly message: SendInboxMessageRequestOptions
}

export type SendInAppIntent = {
  readonly operation: 'sendInApp'
  /** Options of `new SendInAppRequest(…)`. */
  readonly message: SendInAppRequestOptions
}

/** A transactional message. Customer.io cannot recognise a second send as a duplicate; see `onAmbiguous`. */
export type MessageIntent =
  | SendEmailIntent
  | SendPushIntent
  | SendSMSIntent
  | SendInboxMessageIntent
  | SendInAppIntent

/** Recipients of a broadcast, instead of the recipients that are configured for it. */
export type BroadcastRecipients =
  | { readonly ids: readonly (string | number)[]; readonly id_ignore_missing?: boolean }
  | {
      readonly emails: readonly string[]
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  | {
      /** Each element has `id` or `email`, and its own `data`. */
      readonly per_user_data: readonly JsonObject[]
      readonly id_ignore_missing?: boolean
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  | {
      /** URL of a file with one JSON object per line. */
      readonly data_file_url: string
      readonly id_ignore_missing?: boolean
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  /** A filter of segments and attributes. */
  | JsonObject

export type TriggerBroadcastIntent<Data = JsonObject> = {
  readonly operation: 'triggerBroadcast'
  readonly broadcastId: string | number
  /** Available as `trigger` in the messages of the broadcast. */
  readonly data?: Data
  readonly recipients?: BroadcastRecipients
}
