import { describe, expect, test } from 'vitest'
import type { InvalidIntentError } from '../../src/intent/errors.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

function refusal(value: unknown): InvalidIntentError {
  try {
    validateIntent(value)
  } catch (error) {
    return error as InvalidIntentError
  }
  throw new Error('it was accepted')
}

const anonymous = (fields: object) => ({
  operation: 'trackAnonymous',
  anonymousId: 'cookie',
  name: 'x',
  ...fields,
})
const push = (fields: object) => ({
  operation: 'trackPush',
  deliveryId: 'RPI',
  event: 'opened',
  ...fields,
})
const email = (fields: object) => ({
  operation: 'sendEmail',
  message: { to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 3, ...fields },
})
const sms = (fields: object, operation = 'sendSMS') => ({
  operation,
  message: { identifiers: { id: 1 }, transactional_message_id: 3, ...fields },
})
const broadcast = (fields: object) => ({ operation: 'triggerBroadcast', broadcastId: 7, ...fields })
const piped = (type: string, message: object) => ({ operation: `pipelines.${type}`, message })

describe('accepted, and returned unchanged', () => {
  test.each([
    anonymous({}),
    anonymous({ anonymousId: '', data: { recipient: 'a@b' } }),
    anonymous({ data: undefined, timestamp: 1_700_000_000 }),
    push({}),
    push({ deviceId: 't', event: 'converted', timestamp: 1_700_000_000 }),
    email({}),
    email({ identifiers: { cio_id: 'a3000001' }, message_data: undefined, attachments: {} }),
    email({ transactional_message_id: undefined, body: '', subject: '', from: 'a@b' }),
    email({ attachments: { 'a.txt': 'aGk=', 'b.txt': '' }, send_at: 1_700_000_000 }),
    sms({ to: '+45', identifiers: { email: 'a@b' } }),
    sms({ device: { token: 't' }, custom_payload: { ios: {}, android: {} } }, 'sendPush'),
    sms({ custom_device: { token: 't' } }, 'sendPush'),
    sms({ language: 'da' }, 'sendInboxMessage'),
    sms({ queue_draft: true }, 'sendInApp'),
    broadcast({}),
    broadcast({ broadcastId: 'news', data: {} }),
    broadcast({ recipients: { ids: [1, '2'], id_ignore_missing: true } }),
    broadcast({ recipients: { per_user_data: [{ id: 1, data: {} }], email_add_duplicates: false } }),
    broadcast({ recipients: { data_file_url: 'https://example.com/a.jsonl' } }),
    broadcast({ recipients: { and: [{ segment: { id: 5 } }] } }),
    piped('identify', { userId: 1, traits: { plan: 'pro' }, messageId: undefined }),
    piped('identify', { anonymousId: 'cookie', context: { ip: '192.0.2.1' } }),
    piped('track', { userId: 1, event: 'x', properties: {}, timestamp: '2020-01-01T00:00:00.5+02:00' }),
    piped('page', { userId: 1, name: 'x', category: 'y', integrations: { All: false } }),
    piped('screen', { userId: 1 }),
    piped('group', { userId: 1, groupId: 'acme' }),
    piped('alias', { userId: 1, previousId: 'cookie' }),
  ])('%j', (intent) => {
    expect(validateIntent(intent)).toBe(intent)
  })
})

describe('refused: Track API', () => {
  test.each([
    [anonymous({ anonymousId: undefined }), 'anonymousId is required, and must be a string'],
    [anonymous({ anonymousId: 7 }), 'anonymousId must be a string, got number'],
    [anonymous({ anonymousId: ' ' }), 'anonymousId is only spaces'],
    [
      anonymous({ anonymousId: 'x'.repeat(151) }),
      'anonymousId is 151 bytes, Customer.io takes at most 150 bytes (UTF-8)',
    ],
    [
      anonymous({ anonymousId: '' }),
      'data.recipient must be an email address if anonymousId is empty, got undefined',
    ],
    [
      anonymous({ anonymousId: '', data: { recipient: 7 } }),
      'data.recipient must be an email address if anonymousId is empty, got number',
    ],
    [anonymous({ anonymousId: '', data: { recipient: ' ' } }), 'data.recipient is only spaces'],
    [anonymous({ name: '' }), 'name is empty'],
    [
      anonymous({ customerId: 1 }),
      'customerId is not a known field: pass one of operation, anonymousId, name, data, timestamp',
    ],
    [
      anonymous({ timestamp: 1_700_000_000_000 }),
      'timestamp must be whole Unix seconds, not milliseconds: pass Math.floor(milliseconds / 1000)',
    ],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toBe(`trackAnonymous: ${message}`)
  })

  test.each([
    [push({ deliveryId: '' }), 'deliveryId is empty'],
    [push({ deliveryId: undefined }), 'deliveryId is required, and must be a string'],
    [push({ deviceId: ' ' }), 'deviceId is only spaces'],
    [push({ event: 'clicked' }), 'event must be one of opened, converted, delivered, got string'],
    [
      push({ timestamp: 1.5 }),
      'timestamp must be whole Unix seconds, got a fraction: pass Math.floor(seconds)',
    ],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toBe(`trackPush: ${message}`)
  })
})

describe('refused: App API', () => {
  test.each([
    [{ operation: 'sendEmail' }, 'message is required, and must be a plain object'],
    [{ operation: 'sendEmail', message: 'hi' }, 'message must be a plain object, got string'],
    [email({ to: undefined }), 'message.to is required, and must be a string'],
    [email({ to: ' ' }), 'message.to is only spaces'],
    [email({ too: 'x' }), 'message.too is not a known field: did you mean to?'],
    [email({ tracked: 'yes' }), 'message.tracked must be a boolean, got string'],
    [
      email({ identifiers: undefined }),
      'message.identifiers must be an object with one of id, email, cio_id, got undefined',
    ],
    [
      email({ identifiers: { phone: '+45' } }),
      'message.identifiers.phone is not an identifier that can be used here: pass one of id, email, cio_id',
    ],
    [
      email({ identifiers: { id: 1, email: 'a@b' } }),
      'message.identifiers must have exactly one of id, email, cio_id: id, email are given',
    ],
    [
      email({ transactional_message_id: undefined, body: 'x' }),
      'message.transactional_message_id is required, or all of body, subject and from',
    ],
    [email({ transactional_message_id: '' }), 'message.transactional_message_id is empty'],
    [
      email({ send_at: new Date() }),
      'message.send_at must be whole Unix seconds, got Date: pass Math.floor(date.getTime() / 1000)',
    ],
    [
      email({ attachments: { 'a.txt': Buffer.from('hi') } }),
      'message.attachments["a.txt"] must be base64, got Buffer: pass Buffer.from(content).toString(\'base64\')',
    ],
    [
      email({ attachments: { 'a.txt': 'héllo' } }),
      'message.attachments["a.txt"] must be base64, got other text: pass Buffer.from(content).toString(\'base64\')',
    ],
    [email({ attachments: { '': 'aGk=' } }), 'message.attachments[""] is empty'],
    [
      email({ attachments: { a: base64(1_000_000), b: base64(1_000_001) } }),
      'message.attachments is 2000001 bytes, Customer.io takes at most 2000000 bytes (UTF-8) of attachments: send a link instead',
    ],
    [
      email({ message_data: { at: new Date(0) } }),
      'message.message_data.at is a Date, which JSON cannot hold: pass Math.floor(date.getTime() / 1000) or date.toISOString()',
    ],
    [
      email({ message_data: { text: 'a\u0000b' } }),
      'message.message_data.text holds a NUL character (\\u0000), which Postgres cannot store: remove it',
    ],
  ])('%#: %s', (value, message) => {
    expect(refusal(value).message).toBe(`sendEmail: ${message}`)
  })

  test.each([
    [
      sms({ transactional_message_id: undefined }),
      'sendSMS: message.transactional_message_id is required, and must be a string or a whole number',
    ],
    [
      sms({ transactional_message_id: 1.5 }),
      'sendSMS: message.transactional_message_id must be a string or a whole number, got a fraction',
    ],
    [sms({ attachments: {} }), /^sendSMS: message\.attachments is not a known field: pass one of /],
    [sms({ to: '+45' }, 'sendInApp'), /^sendInApp: message\.to is not a known field: pass one of /],
    [
      sms({ device: {}, custom_device: {} }, 'sendPush'),
      'sendPush: message.device and custom_device are two names of one field, and both are given: pass one of them',
    ],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toMatch(message)
  })

  test.each([
    [
      broadcast({ broadcastId: undefined }),
      'broadcastId is required, and must be a string or a whole number',
    ],
    [broadcast({ broadcastId: '' }), 'broadcastId is empty'],
    [
      broadcast({ recipients: {} }),
      "recipients is empty: leave it out to send to the broadcast's own recipients",
    ],
    [
      broadcast({ recipients: { ids: [1], emails: ['a@b'] } }),
      'recipients must have one of ids, emails, per_user_data, data_file_url: ids, emails are given',
    ],
    [
      broadcast({ recipients: { ids: [1], email_ignore_missing: true } }),
      'recipients.email_ignore_missing is not sent beside ids: pass one of id_ignore_missing',
    ],
    [broadcast({ recipients: { ids: '1' } }), 'recipients.ids must be an array, got string'],
    [broadcast({ recipients: { emails: [] } }), 'recipients.emails is empty: list at least one recipient'],
    [broadcast({ recipients: { data_file_url: '' } }), 'recipients.data_file_url is empty'],
    [broadcast({ data: [] }), 'data must be a plain object, got array'],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toBe(`triggerBroadcast: ${message}`)
  })
})

describe('refused: Pipelines API', () => {
  test.each([
    [piped('identify', {}), 'identify: message.userId is required, or anonymousId'],
    [piped('identify', { userId: '' }), 'identify: message.userId is empty'],
    [
      piped('identify', { userId: 1.5 }),
      'identify: message.userId must be a string or a whole number, got a fraction',
    ],
    [piped('identify', { anonymousId: 7 }), 'identify: message.anonymousId must be a string, got number'],
    [
      piped('identify', { userId: 1, messageId: 'x' }),
      "identify: message.messageId is the intent's own id: leave it out",
    ],
    [
      piped('identify', { userId: 1, trait: {} }),
      'identify: message.trait is not a known field: did you mean traits?',
    ],
    [piped('track', { userId: 1 }), 'track: message.event is required, and must be a string'],
    [piped('track', { userId: 1, event: ' ' }), 'track: message.event is only spaces'],
    [
      piped('track', { userId: 1, event: 'x', timestamp: 1_700_000_000 }),
      'track: message.timestamp must be an ISO 8601 time with a zone, got number',
    ],
    [
      piped('track', { userId: 1, event: 'x', timestamp: new Date() }),
      'track: message.timestamp must be an ISO 8601 time with a zone, got Date: pass date.toISOString()',
    ],
    [
      piped('track', { userId: 1, event: 'x', timestamp: '2020-01-01 00:00' }),
      'track: message.timestamp must be an ISO 8601 time with a zone, got other text',
    ],
    [
      piped('track', { userId: 1, event: 'x', timestamp: '2020-13-01T00:00:00Z' }),
      'track: message.timestamp must be an ISO 8601 time with a zone, got other text',
    ],
    [piped('group', { userId: 1 }), 'group: message.groupId is required, and must be a string'],
    [
      piped('alias', { userId: 1 }),
      'alias: message.previousId is required, and must be a string or a whole number',
    ],
    [
      piped('alias', { previousId: 1 }),
      'alias: message.userId is required, and must be a string or a whole number',
    ],
    [
      piped('page', { userId: 1, properties: { total: 7n } }),
      'page: message.properties.total is a bigint, which JSON cannot hold: pass a string',
    ],
  ])('%#: %s', (value, message) => {
    expect(refusal(value).message).toBe(`pipelines.${message}`)
  })
})

describe('sizes', () => {
  test.each<[string, number, (text: string) => unknown]>([
    ['trackAnonymous', 32_000, (text) => anonymous({ data: { text } })],
    ['pipelines.track', 32_000, (text) => piped('track', { userId: 1, event: 'x', properties: { text } })],
    ['sendEmail', 3_000_000, (text) => email({ message_data: { text } })],
    ['triggerBroadcast', 3_000_000, (text) => broadcast({ data: { text } })],
  ])('%s accepts up to %d bytes', (operation, limit, make) => {
    const intent = make('ø'.repeat(limit / 2 - 300))
    expect(validateIntent(intent)).toBe(intent)
    const { message, field, limit: told, actual } = refusal(make('ø'.repeat(limit / 2)))
    expect(message).toBe(
      `${operation} is ${actual} bytes, Customer.io takes at most ${limit} bytes (UTF-8) for one operation, envelope included: send less data, or a link to it`,
    )
    expect({ field, told }).toEqual({ field: '', told: limit })
  })

  test('2,000,000 bytes of attachments are accepted', () => {
    const intent = email({ attachments: { a: base64(1_500_000), b: base64(500_000) } })
    expect(validateIntent(intent)).toBe(intent)
  })
})

function base64(bytes: number): string {
  return Buffer.alloc(bytes).toString('base64')
}
