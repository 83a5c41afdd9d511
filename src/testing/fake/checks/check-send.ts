import type { FakeSendKind } from '../model/app-request.ts'
import { checkTimestamp } from './check-fields.ts'
import { checkMergeIdentifiers } from './check-identifiers.ts'
import { invalid, isRecord, type Refusal, required, tooLarge } from '../model/operation.ts'
import { publishedLimits } from '../model/published-limits.ts'

type Body = Readonly<Record<string, unknown>>

/** Fields whose type is checked if they are present. The fake accepts any value of a field that no check names. */
const strings: Readonly<Record<FakeSendKind, readonly string[]>> = {
  email: [
    'to',
    'cc',
    'bcc',
    'from',
    'reply_to',
    'subject',
    'preheader',
    'body',
    'body_plain',
    'body_amp',
    'language',
  ],
  push: ['to', 'title', 'message', 'image_url', 'link', 'sound', 'language'],
  sms: ['to', 'language'],
  inbox_message: ['language'],
  in_app: ['language'],
}
const booleans = [
  'disable_message_retention',
  'send_to_unsubscribed',
  'queue_draft',
  'tracked',
  'fake_bcc',
  'disable_css_preprocessing',
  'auto_create',
]
const objects = ['message_data', 'custom_data', 'custom_device', 'custom_payload']

const base64 = /^[A-Za-z0-9+/]*={0,2}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: the published description requires ASCII
const ascii = /^[\x00-\x7f]*$/

/** Checks the shape of one transactional message. A refusal `too_large` means 413. `now` is in Unix milliseconds. */
export function checkSend(kind: FakeSendKind, body: Body, now: number): Refusal | undefined {
  return (
    checkTypes(kind, body) ??
    checkMergeIdentifiers(body.identifiers, 'identifiers') ??
    checkTemplate(kind, body) ??
    checkSendAt(body.send_at, now) ??
    (kind === 'email' ? checkEmail(body) : undefined)
  )
}

function checkTypes(kind: FakeSendKind, body: Body): Refusal | undefined {
  for (const field of strings[kind])
    if (body[field] !== undefined && typeof body[field] !== 'string')
      return invalid(field, 'must be a string')
  for (const field of booleans)
    if (body[field] !== undefined && typeof body[field] !== 'boolean')
      return invalid(field, 'must be a boolean')
  for (const field of objects)
    if (body[field] !== undefined && !isRecord(body[field])) return invalid(field, 'must be an object')
  return undefined
}

/** An email without a template must carry the fields that a template provides. */
function checkTemplate(kind: FakeSendKind, body: Body): Refusal | undefined {
  const { transactional_message_id: id } = body
  if (id === undefined) {
    if (kind !== 'email') return required('transactional_message_id')
    const missing = ['body', 'subject', 'from'].find((field) => body[field] === undefined)
    return missing === undefined
      ? undefined
      : invalid(missing, 'is required without a transactional_message_id')
  }
  if (Number.isSafeInteger(id) && Number(id) > 0) return undefined
  if (typeof id === 'string' && id.trim() !== '') return undefined
  return invalid('transactional_message_id', 'must be the number or the trigger name of a message')
}

function checkSendAt(sendAt: unknown, now: number): Refusal | undefined {
  const refusal = checkTimestamp(sendAt, 'send_at')
  if (refusal !== undefined || sendAt === undefined) return refusal
  const days = publishedLimits.sendAtDays
  if (Number(sendAt) > now / 1_000 + days * 86_400)
    return invalid('send_at', `must be at most ${days} days from now`)
  return undefined
}

function checkEmail(body: Body): Refusal | undefined {
  if (body.to === undefined) return required('to')
  return checkRecipients(body) ?? checkHeaders(body.headers) ?? checkAttachments(body.attachments)
}

function checkRecipients(body: Body): Refusal | undefined {
  let count = 0
  for (const field of ['to', 'cc', 'bcc']) {
    const list = body[field]
    if (typeof list !== 'string') continue
    // A comma inside a quoted display name is not a separator.
    const recipients = list.replaceAll(/"[^"]*"/g, '').split(',')
    if (recipients.some((recipient) => !recipient.includes('@')))
      return invalid(field, 'must be email addresses, separated by commas')
    count += recipients.length
  }
  if (count > publishedLimits.emailRecipients)
    return invalid('to', `to, cc and bcc must have at most ${publishedLimits.emailRecipients} recipients`)
  return undefined
}

/** Customer.io's description says a JSON string of `{ name, value }`, but its example and customerio-node use an object. */
function checkHeaders(headers: unknown): Refusal | undefined {
  if (headers === undefined || typeof headers === 'string') return undefined
  if (!isRecord(headers)) return invalid('headers', 'must be an object or a JSON string')
  for (const [name, value] of Object.entries(headers))
    if (typeof value !== 'string' || !ascii.test(name + value))
      return invalid(`headers.${name}`, 'must be a string of ASCII characters')
  return undefined
}

function checkAttachments(attachments: unknown): Refusal | undefined {
  if (attachments === undefined) return undefined
  if (!isRecord(attachments)) return invalid('attachments', 'must be an object of file names')
  let bytes = 0
  for (const [name, content] of Object.entries(attachments)) {
    if (!/.\../.test(name)) return invalid('attachments', `the file name needs an extension: "${name}"`)
    if (typeof content !== 'string' || content.length % 4 !== 0 || !base64.test(content))
      return invalid('attachments', `Attachment must be base64 encoded: "${name}"`)
    bytes += content.length
  }
  if (bytes >= publishedLimits.attachmentsBytes)
    return tooLarge('', 'Total attachment size exceeds the limit')
  return undefined
}
