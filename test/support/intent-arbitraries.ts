import fc from 'fast-check'
import type { Intent } from '../../src/intent/intent.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 25 })
  .filter((s) => !s.includes('\u0000') && s.trim() !== '')
export const id = fc.oneof(text, fc.maxSafeInteger())
const person = fc.oneof(
  fc.record({ customerId: id }),
  fc.record({
    identifiers: fc.oneof(
      fc.record({ id }),
      fc.record({ email: text }),
      fc.record({ phone: text }),
      fc.record({ cio_id: text }),
    ),
  }),
)
const json = fc.jsonValue({ depthSize: 'small', stringUnit: 'binary' })
export const data = fc.dictionary(text, fc.oneof(json, fc.constant(undefined)), { maxKeys: 8 })
const relationships = fc.array(
  fc.record({
    identifiers: fc.record({ object_type_id: text, object_id: text }),
    relationship_attributes: data,
  }),
  { maxLength: 3 },
)
const attributes = fc.oneof(
  data,
  fc.tuple(data, relationships).map(([rest, cio_relationships]) => ({ ...rest, cio_relationships })),
  relationships.map((list) => ({ cio_relationships: { action: 'add_relationships', relationships: list } })),
)
const time = fc.integer({ min: 0, max: 9_999_999_999 })

function personal<T extends object>(operation: string, fields: fc.Arbitrary<T>): fc.Arbitrary<object> {
  return fc.tuple(person, fields).map(([who, rest]) => ({ operation, ...who, ...rest }))
}

const email = text.map((local) => `${local}@example.com`)

/** The recipient of a transactional message. */
const recipient = fc.oneof(fc.record({ id }), fc.record({ email }))
const template = fc.oneof(text, fc.nat())
const commonOfMessage = {
  message_data: data,
  send_at: time,
  language: text,
  queue_draft: fc.boolean(),
  disable_message_retention: fc.boolean(),
}

function message<T>(operation: string, required: Record<string, fc.Arbitrary<T>>, optional: object) {
  const requiredKeys = ['identifiers', ...Object.keys(required)]
  const fields = { identifiers: recipient, ...required, ...commonOfMessage, ...optional }
  return fc
    .record(fields, { requiredKeys: requiredKeys as never })
    .map((fields) => ({ operation, message: fields }))
}

const attachments = fc.dictionary(
  text,
  fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  { maxKeys: 3 },
)

const messages = fc.oneof(
  message<unknown>(
    'sendEmail',
    { to: email, transactional_message_id: template },
    { headers: data, bcc: email, tracked: fc.boolean(), attachments, from: email, subject: text, body: text },
  ),
  message<unknown>('sendEmail', { to: email, from: email, subject: text, body: text }, { body_plain: text }),
  message<unknown>(
    'sendPush',
    { transactional_message_id: template },
    { title: text, device: data, custom_payload: data },
  ),
  message<unknown>('sendPush', { transactional_message_id: template }, { to: text, custom_device: data }),
  ...['sendSMS', 'sendInboxMessage', 'sendInApp'].map((operation) =>
    message<unknown>(operation, { transactional_message_id: template }, {}),
  ),
)

const flags = { id_ignore_missing: fc.boolean() }
const broadcasts = fc
  .record(
    {
      broadcastId: fc.nat(),
      data,
      recipients: fc.oneof(
        fc.record({ ids: fc.array(id, { minLength: 1 }), ...flags }, { requiredKeys: ['ids'] }),
        fc.record({ emails: fc.array(email, { minLength: 1 }) }),
        fc.record({ per_user_data: fc.array(fc.record({ id, data }), { minLength: 1 }), ...flags }),
        fc.record({ segment: fc.record({ id: fc.nat() }) }),
      ),
    },
    { requiredKeys: ['broadcastId'] },
  )
  .map((fields) => ({ operation: 'triggerBroadcast', ...fields }))

const commonOfPipelines = {
  timestamp: fc
    .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  context: fc.record(
    { ip: fc.ipV4(), locale: text, library: fc.constant({ name: 'x', version: '1' }) },
    { requiredKeys: [] },
  ),
  integrations: fc.dictionary(text, fc.boolean(), { maxKeys: 3 }),
}
const anyPerson = fc.oneof(
  fc.record({ userId: id, anonymousId: text }, { requiredKeys: ['userId'] }),
  fc.record({ anonymousId: text }),
)

function piped<T extends object>(type: string, fields: fc.Arbitrary<T>): fc.Arbitrary<object> {
  return fc
    .tuple(anyPerson, fields, fc.record(commonOfPipelines, { requiredKeys: [] }))
    .map(([who, rest, common]) => ({
      operation: `pipelines.${type}`,
      message: { ...who, ...rest, ...common },
    }))
}

const view = fc.record({ name: text, category: text, properties: data }, { requiredKeys: [] })
const pipelines = fc.oneof(
  piped('identify', fc.record({ traits: data }, { requiredKeys: [] })),
  piped('track', fc.record({ event: text, properties: data }, { requiredKeys: ['event'] })),
  piped('page', view),
  piped('screen', view),
  piped('group', fc.record({ groupId: text, traits: data }, { requiredKeys: ['groupId'] })),
  fc
    .record({ userId: id, previousId: id, ...commonOfPipelines }, { requiredKeys: ['userId', 'previousId'] })
    .map((fields) => ({ operation: 'pipelines.alias', message: fields })),
)

/** Mostly valid intents. `accepted` filters out those that a limit refuses. */
export const candidate: fc.Arbitrary<object> = fc.oneof(
  fc
    .record(
      { anonymousId: text, name: text, data, timestamp: time },
      { requiredKeys: ['anonymousId', 'name'] },
    )
    .map((fields) => ({ operation: 'trackAnonymous', ...fields })),
  fc
    .record(
      {
        deliveryId: text,
        deviceId: text,
        event: fc.constantFrom('opened', 'converted', 'delivered'),
        timestamp: time,
      },
      { requiredKeys: ['deliveryId', 'event'] },
    )
    .map((fields) => ({ operation: 'trackPush', ...fields })),
  { weight: 4, arbitrary: messages },
  { weight: 2, arbitrary: broadcasts },
  { weight: 4, arbitrary: pipelines },
  personal('identify', fc.record({ attributes, timestamp: time }, { requiredKeys: [] })),
  personal('track', fc.record({ name: text, data, timestamp: time }, { requiredKeys: ['name'] })),
  personal('trackPageView', fc.record({ path: text, data, timestamp: time }, { requiredKeys: ['path'] })),
  personal('trackScreen', fc.record({ name: text, data, timestamp: time }, { requiredKeys: ['name'] })),
  personal(
    'addDevice',
    fc.record(
      {
        deviceId: text,
        platform: fc.constantFrom('ios', 'android'),
        data: fc.oneof(
          data,
          fc.tuple(data, time).map(([rest, last_used]) => ({ ...rest, last_used })),
        ),
      },
      { requiredKeys: ['deviceId', 'platform'] },
    ),
  ),
  personal('deleteDevice', fc.record({ deviceId: text })),
  personal('suppress', fc.constant({})),
  personal('unsuppress', fc.constant({})),
  personal('destroy', fc.constant({})),
  fc.record({
    operation: fc.constant('mergeCustomers'),
    primary: fc.record({ id }),
    secondary: fc.record({ email: text }),
  }),
  fc
    .record({
      action: fc.constantFrom('event', 'page', 'screen', 'identify', 'suppress'),
      name: text,
      attributes: data,
    })
    .map((fields) => ({
      operation: 'entity',
      entity: { type: 'person', identifiers: { id: 'x' }, ...fields },
    })),
  fc
    .record({ identifiers: fc.record({ object_type_id: text, object_id: text }), attributes: data })
    .map((fields) => ({ operation: 'entity', entity: { type: 'object', action: 'identify', ...fields } })),
)

/** Returns the candidate if it is a valid intent, else undefined. */
export function accepted(value: unknown): Intent | undefined {
  try {
    return validateIntent(value)
  } catch {
    return undefined
  }
}
