import { join, kindOf, pathOf } from '../describe.ts'
import { fail, failSize, type ErrorContext } from '../errors.ts'
import { MAX_ATTACHMENTS_BYTES } from '../limits.ts'
import type { MessageIntent } from '../message-intents.ts'
import { checkId, checkIdentifiers, MERGE_KINDS } from './person.ts'
import { anyField, checkObject, flag, object, optional, type Shape, text } from './shape.ts'
import { checkNotBlank } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

const optionalString = optional(text)
const optionalFlag = optional(flag)
const data = optional(object)

const common = {
  identifiers: anyField,
  transactional_message_id: anyField,
  message_data: data,
  send_at: anyField,
  language: optionalString,
  queue_draft: optionalFlag,
  disable_message_retention: optionalFlag,
}

/**
 * Fields and types of each message: those of customerio-node's requests, which drop any other field silently.
 */
const SHAPES: Readonly<Record<MessageIntent['operation'], Shape>> = {
  sendEmail: {
    to: text,
    ...common,
    from: optionalString,
    subject: optionalString,
    body: optionalString,
    body_plain: optionalString,
    body_amp: optionalString,
    headers: data,
    preheader: optionalString,
    reply_to: optionalString,
    bcc: optionalString,
    fake_bcc: optionalFlag,
    send_to_unsubscribed: optionalFlag,
    tracked: optionalFlag,
    disable_css_preprocessing: optionalFlag,
    attachments: data,
  },
  sendPush: {
    ...common,
    to: optionalString,
    title: optionalString,
    message: optionalString,
    image_url: optionalString,
    link: optionalString,
    sound: optionalString,
    custom_data: data,
    custom_payload: data,
    device: data,
    custom_device: data,
    send_to_unsubscribed: optionalFlag,
  },
  sendSMS: { ...common, to: optionalString, send_to_unsubscribed: optionalFlag },
  sendInboxMessage: common,
  sendInApp: common,
}

/** Checks that customerio-node's request takes a message and sends all of its fields. */
export function checkMessage(context: ErrorContext, { operation, message }: MessageIntent): void {
  const fields = message as Record<string, unknown>
  checkObject(context, 'message', SHAPES[operation], fields)
  checkIdentifiers(context, 'message.identifiers', fields.identifiers, MERGE_KINDS)
  checkTimestamp(context, 'message.send_at', fields.send_at)
  if (operation === 'sendEmail') checkEmail(context, fields)
  else checkTemplate(context, fields.transactional_message_id)
  if (fields.device !== undefined && fields.custom_device !== undefined) {
    fail(
      context,
      'message.device',
      'and custom_device are two names of one field, and both are given: pass one of them',
    )
  }
}

function checkTemplate(context: ErrorContext, id: unknown): void {
  const field = 'message.transactional_message_id'
  if (id === undefined) fail(context, field, 'is required, and must be a string or a whole number')
  checkId(context, field, id)
}

function checkEmail(context: ErrorContext, fields: Record<string, unknown>): void {
  checkNotBlank(context, 'message.to', fields.to as string)
  if (fields.transactional_message_id !== undefined) checkTemplate(context, fields.transactional_message_id)
  else if ([fields.body, fields.subject, fields.from].includes(undefined)) {
    fail(context, 'message.transactional_message_id', 'is required, or all of body, subject and from')
  }
  if (fields.attachments !== undefined) {
    checkAttachments(context, fields.attachments as Record<string, unknown>)
  }
}

/** Checks that attachments are base64 and within `MAX_ATTACHMENTS_BYTES`. */
function checkAttachments(context: ErrorContext, attachments: Record<string, unknown>): void {
  const field = 'message.attachments'
  let actual = 0
  for (const [name, content] of Object.entries(attachments)) {
    if (content === undefined) continue
    const path = join(field, pathOf([name]))
    checkNotBlank(context, path, name)
    if (typeof content !== 'string' || !isBase64(content)) {
      const got = typeof content === 'string' ? 'other text' : kindOf(content)
      fail(context, path, `must be base64, got ${got}: pass Buffer.from(content).toString('base64')`)
    }
    actual += Buffer.byteLength(content, 'base64')
  }
  if (actual <= MAX_ATTACHMENTS_BYTES) return
  failSize(context, field, { limit: MAX_ATTACHMENTS_BYTES, actual }, ' of attachments: send a link instead')
}

function isBase64(content: string): boolean {
  return content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(content)
}
