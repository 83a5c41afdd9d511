import { z } from 'zod'
import { join, kindOf, pathOf } from '../describe.ts'
import { refuse, refuseSize, type Subject } from '../errors.ts'
import { MAX_ATTACHMENTS_BYTES } from '../limits.ts'
import type { MessageIntent } from '../message-intents.ts'
import { checkId, checkIdentifiers, MERGE_KINDS } from './person.ts'
import { checkObject, later, object, text } from './shape.ts'
import { checkNotBlank } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

const words = text.optional()
const flag = z.boolean().optional()
const data = object.optional()

const common = {
  identifiers: later,
  transactional_message_id: later,
  message_data: data,
  send_at: later,
  language: words,
  queue_draft: flag,
  disable_message_retention: flag,
}

/**
 * The fields of each message and their types: those of customerio-node's requests, which leave out any other
 * without a word.
 */
const SHAPES: Readonly<Record<MessageIntent['operation'], z.ZodObject>> = {
  sendEmail: z.strictObject({
    to: text,
    ...common,
    from: words,
    subject: words,
    body: words,
    body_plain: words,
    body_amp: words,
    headers: data,
    preheader: words,
    reply_to: words,
    bcc: words,
    fake_bcc: flag,
    send_to_unsubscribed: flag,
    tracked: flag,
    disable_css_preprocessing: flag,
    attachments: data,
  }),
  sendPush: z.strictObject({
    ...common,
    to: words,
    title: words,
    message: words,
    image_url: words,
    link: words,
    sound: words,
    custom_data: data,
    custom_payload: data,
    device: data,
    custom_device: data,
    send_to_unsubscribed: flag,
  }),
  sendSMS: z.strictObject({ ...common, to: words, send_to_unsubscribed: flag }),
  sendInboxMessage: z.strictObject(common),
  sendInApp: z.strictObject(common),
}

/** Refuses a message that customerio-node's request would not take, or not send in full. */
export function checkMessage(subject: Subject, { operation, message }: MessageIntent): void {
  const fields = message as Record<string, unknown>
  checkObject(subject, 'message', SHAPES[operation], fields)
  checkIdentifiers(subject, 'message.identifiers', fields.identifiers, MERGE_KINDS)
  checkTimestamp(subject, 'message.send_at', fields.send_at)
  if (operation === 'sendEmail') checkEmail(subject, fields)
  else checkTemplate(subject, fields.transactional_message_id)
  if (fields.device !== undefined && fields.custom_device !== undefined) {
    refuse(subject, 'message.device', 'and custom_device are both given, and are the same: pass one of them')
  }
}

function checkTemplate(subject: Subject, id: unknown): void {
  const field = 'message.transactional_message_id'
  if (id === undefined) refuse(subject, field, 'is required, and must be a string or a whole number')
  checkId(subject, field, id)
}

function checkEmail(subject: Subject, fields: Record<string, unknown>): void {
  checkNotBlank(subject, 'message.to', fields.to as string)
  if (fields.transactional_message_id !== undefined) checkTemplate(subject, fields.transactional_message_id)
  else if ([fields.body, fields.subject, fields.from].includes(undefined)) {
    refuse(subject, 'message.transactional_message_id', 'is required, or all of body, subject and from')
  }
  if (fields.attachments !== undefined) {
    checkAttachments(subject, fields.attachments as Record<string, unknown>)
  }
}

/** Base64, and no more of it than an email may carry. */
function checkAttachments(subject: Subject, attachments: Record<string, unknown>): void {
  const field = 'message.attachments'
  let actual = 0
  for (const [name, content] of Object.entries(attachments)) {
    if (content === undefined) continue
    const path = join(field, pathOf([name]))
    checkNotBlank(subject, path, name)
    if (typeof content !== 'string' || !isBase64(content)) {
      const got = typeof content === 'string' ? 'other text' : kindOf(content)
      refuse(subject, path, `must be base64, got ${got}: pass Buffer.from(content).toString('base64')`)
    }
    actual += Buffer.byteLength(content, 'base64')
  }
  if (actual <= MAX_ATTACHMENTS_BYTES) return
  refuseSize(subject, field, { limit: MAX_ATTACHMENTS_BYTES, actual }, ' of attachments: send a link instead')
}

function isBase64(content: string): boolean {
  return content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(content)
}
