/**
 * What the App API sends: transactional messages, one request each, and broadcasts. Their types are
 * customerio-node's own, so that what its request constructors take can be enqueued as it stands.
 */
import type {
  SendEmailRequestOptions,
  SendInAppRequestOptions,
  SendInboxMessageRequestOptions,
  SendPushRequestOptions,
  SendSMSRequestOptions,
} from 'customerio-node'
import type { JsonObject } from './json-types.ts'

/** What `new SendEmailRequest(…)` takes, and the attachments that its `attach` adds. */
export type EmailMessage = SendEmailRequestOptions & {
  /** Contents by file name, in base64; at most 2,000,000 bytes of them in all, before base64. */
  readonly attachments?: Readonly<Record<string, string>>
}

export type SendEmailIntent = {
  readonly operation: 'sendEmail'
  readonly message: EmailMessage
}

export type SendPushIntent = {
  readonly operation: 'sendPush'
  /** What `new SendPushRequest(…)` takes. */
  readonly message: SendPushRequestOptions
}

export type SendSMSIntent = {
  readonly operation: 'sendSMS'
  /** What `new SendSMSRequest(…)` takes. */
  readonly message: SendSMSRequestOptions
}

export type SendInboxMessageIntent = {
  readonly operation: 'sendInboxMessage'
  /** What `new SendInboxMessageRequest(…)` takes. */
  readonly message: SendInboxMessageRequestOptions
}

export type SendInAppIntent = {
  readonly operation: 'sendInApp'
  /** What `new SendInAppRequest(…)` takes. */
  readonly message: SendInAppRequestOptions
}

/** A transactional message. Customer.io cannot recognise a second one as a duplicate: see `onAmbiguous`. */
export type MessageIntent =
  | SendEmailIntent
  | SendPushIntent
  | SendSMSIntent
  | SendInboxMessageIntent
  | SendInAppIntent

/** Who a broadcast goes to, instead of the recipients that it is configured with. */
export type BroadcastRecipients =
  | { readonly ids: readonly (string | number)[]; readonly id_ignore_missing?: boolean }
  | {
      readonly emails: readonly string[]
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  | {
      /** Each with `id` or `email`, and `data` of their own. */
      readonly per_user_data: readonly JsonObject[]
      readonly id_ignore_missing?: boolean
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  | {
      /** A file of one JSON object a line. */
      readonly data_file_url: string
      readonly id_ignore_missing?: boolean
      readonly email_ignore_missing?: boolean
      readonly email_add_duplicates?: boolean
    }
  /** A filter of segments and attributes. */
  | JsonObject

export type TriggerBroadcastIntent = {
  readonly operation: 'triggerBroadcast'
  readonly broadcastId: string | number
  /** What the broadcast's messages read as `trigger`. */
  readonly data?: JsonObject
  readonly recipients?: BroadcastRecipients
}
