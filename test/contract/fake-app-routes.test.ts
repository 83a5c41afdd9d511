import {
  APIClient,
  SendEmailRequest,
  SendInAppRequest,
  SendInboxMessageRequest,
  SendPushRequest,
  SendSMSRequest,
} from 'customerio-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, type Misbehaviour, startFakeCustomerIo } from '../../src/testing/index.ts'

let fake: FakeCustomerIo
let client: APIClient

beforeEach(async () => {
  fake = await startFakeCustomerIo({ appApiKey: 'app-key' })
  client = new APIClient('app-key', { url: `${fake.url}/v1`, retry: { maxRetries: 0 }, timeout: 5_000 })
})
afterEach(() => fake.close())

const identifiers = { id: 'u1' }
const email = (rest: object = {}) =>
  new SendEmailRequest({ to: 'a@b.c', identifiers, transactional_message_id: 7, ...rest })

async function post(path: string, body: unknown, authorization = 'Bearer app-key') {
  const response = await fetch(`${fake.url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: await response.json(), headers: response.headers }
}
const template = { identifiers, transactional_message_id: 'welcome' }
const send = (kind: string, body: unknown) => post(`/v1/send/${kind}`, body)
const mail = (rest: object) => send('email', { ...template, to: 'a@b.c', ...rest })
const trigger = (body: unknown, id: unknown = 3) => post(`/v1/campaigns/${id}/triggers`, body)

describe('transactional messages', () => {
  test('sends of every kind are recorded in order, each with its own delivery id', async () => {
    const before = Math.floor(Date.now() / 1_000)
    const withFile = email({ identifiers: { email: 'A@b.c' }, message_data: { n: 1 } })
    withFile.attach('invoice.txt', 'hello')
    const answers = [
      await client.sendEmail(withFile),
      await client.sendPush(new SendPushRequest({ ...template, to: 'last_used', title: 't' })),
      await client.sendSMS(new SendSMSRequest({ ...template, to: '+15551234' })),
      await client.sendInboxMessage(new SendInboxMessageRequest(template)),
      await client.sendInApp(new SendInAppRequest(template)),
    ]
    expect(
      fake.sends.map(({ ordinal, requestOrdinal, kind, to }) => [ordinal, requestOrdinal, kind, to]),
    ).toEqual([
      [1, 1, 'email', 'a@b.c'],
      [2, 2, 'push', 'last_used'],
      [3, 3, 'sms', '+15551234'],
      [4, 4, 'inbox_message', undefined],
      [5, 5, 'in_app', undefined],
    ])
    expect(fake.sends[0]).toMatchObject({
      identifiers: { email: 'A@b.c' },
      personKey: 'email:a@b.c',
      body: { message_data: { n: 1 }, attachments: { 'invoice.txt': btoa('hello') } },
    })
    expect(answers.map(({ delivery_id }) => delivery_id)).toEqual(
      fake.sends.map(({ deliveryId }) => deliveryId),
    )
    expect(new Set(fake.sends.map(({ deliveryId }) => deliveryId)).size).toBe(5)
    for (const { queued_at } of answers) {
      expect(queued_at).toBeGreaterThanOrEqual(before)
      expect(queued_at).toBeLessThanOrEqual(Date.now() / 1_000)
    }
    expect(fake.counts).toMatchObject({ requests: 5, operations: 5, sends: 5, applied: 0, refused: 0 })
    expect(fake.person({ id: 'u1' })).toBeUndefined()
  })

  test('a repeated request is recorded as a second send', async () => {
    await client.sendEmail(email())
    await client.sendEmail(email())
    expect(fake.sends.map(({ body }) => body)).toEqual([fake.sends[0]?.body, fake.sends[0]?.body])
    expect(fake.counts.sends).toBe(2)
  })

  test('an email without a template is accepted with its own content', async () => {
    const own = { body: '<p>', subject: 's', from: 'x@y.z' }
    await client.sendEmail(new SendEmailRequest({ to: 'a@b.c', identifiers, ...own }))
    for (const missing of ['body', 'subject', 'from'])
      expect(await send('email', { to: 'a@b.c', identifiers, ...own, [missing]: undefined })).toMatchObject({
        status: 400,
        body: { meta: { error: `${missing} is required without a transactional_message_id` } },
      })
    expect(fake.counts).toMatchObject({ sends: 1, refused: 3 })
  })

  test('the answer to a scheduled message has its send_at', async () => {
    const send_at = Math.floor(Date.now() / 1_000) + 3_600
    expect((await mail({ send_at })).body).toMatchObject({ send_at })
    expect((await mail({ send_at: 1 })).body).not.toHaveProperty('send_at')
    expect((await mail({ send_at: send_at + 91 * 86_400 })).status).toBe(400)
  })

  test.each<[string, string, object, number?]>([
    ['no identifiers', 'push', { transactional_message_id: 1 }],
    ['two identifiers', 'push', { ...template, identifiers: { id: 'a', email: 'a@b.c' } }],
    ['a phone number as the identifier', 'sms', { ...template, identifiers: { phone: '+123' } }],
    ['no template', 'in_app', { identifiers }],
    ['an empty template', 'in_app', { identifiers, transactional_message_id: '' }],
    ['an email without a recipient', 'email', template],
    ['a recipient that is no address', 'email', { ...template, to: 'Jane' }],
    ['too many recipients', 'email', { ...template, to: 'a@b.c', bcc: Array(15).fill('a@b.c').join() }],
    ['a number for a subject', 'email', { ...template, to: 'a@b.c', subject: 1 }],
    ['a word for a flag', 'email', { ...template, to: 'a@b.c', tracked: 'yes' }],
    ['text for data', 'inbox_message', { ...template, message_data: 'x' }],
    ['a send_at in milliseconds', 'push', { ...template, send_at: Date.now() }],
    ['a header that is no string', 'email', { ...template, to: 'a@b.c', headers: { a: 1 } }],
    [
      'an attachment that is not base64',
      'email',
      { ...template, to: 'a@b.c', attachments: { 'a.txt': '!' } },
    ],
    ['an attachment without extension', 'email', { ...template, to: 'a@b.c', attachments: { a: '' } }],
    [
      'attachments of 2 MB',
      'email',
      {
        ...template,
        to: 'a@b.c',
        attachments: { 'a.txt': 'a'.repeat(1_000_000), 'b.txt': 'a'.repeat(1_000_000) },
      },
      413,
    ],
    [
      'a body of 4 MB',
      'email',
      { ...template, to: 'a@b.c', message_data: { d: 'a'.repeat(4_000_000) } },
      413,
    ],
  ])('%s: the message is refused', async (_, kind, body, status = 400) => {
    expect(await send(kind, body)).toMatchObject({ status, body: { meta: { error: expect.any(String) } } })
    expect(fake.sends).toEqual([])
  })

  test.each<object>([
    { to: '"Doe, Jane" <a@b.c>, b@b.c', headers: { 'X-Tag': 'a b' } },
    { to: Array(15).fill('a@b.c').join(), headers: '[{"name":"X-Tag","value":"a"}]' },
    { identifiers: { cio_id: 'abc' }, transactional_message_id: 3 },
    { attachments: { 'a.txt': 'a'.repeat(1_999_996) } },
  ])('a message with %o is accepted', async (rest) => {
    expect((await mail(rest)).status).toBe(200)
  })

  test('a body that is not JSON is answered 400, an unknown path or method 404', async () => {
    expect(await send('email', '{')).toMatchObject({
      status: 400,
      body: { meta: { error: expect.any(String) } },
    })
    expect(await send('fax', template)).toMatchObject({ status: 404 })
    const headers = { authorization: 'Bearer app-key' }
    expect((await fetch(`${fake.url}/v1/send/email`, { headers })).status).toBe(404)
  })
})

describe('broadcasts', () => {
  test('triggers with every audience are recorded in order, each with its own trigger id', async () => {
    const perUser = [{ id: 'u1', data: { a: 1 } }, { email: 'a@b.c' }]
    const answers = [
      await client.triggerBroadcast(3, { headline: 'x' }),
      await client.triggerBroadcast('4', {}, { ids: ['u1'], id_ignore_missing: true }),
      await client.triggerBroadcast(3, {}, { emails: ['a@b.c'] }),
      await client.triggerBroadcast(3, {}, { per_user_data: perUser }),
      await client.triggerBroadcast(3, {}, { data_file_url: 'https://x.test/file' }),
      await client.triggerBroadcast(3, {}, { segment: { id: 7 } }),
    ]
    expect(
      fake.broadcasts.map(({ ordinal, broadcastId, audience }) => [ordinal, broadcastId, audience]),
    ).toEqual([
      [1, 3, 'default'],
      [2, 4, 'ids'],
      [3, 3, 'emails'],
      [4, 3, 'per_user_data'],
      [5, 3, 'data_file_url'],
      [6, 3, 'recipients'],
    ])
    expect(fake.broadcasts[0]?.body).toEqual({ data: { headline: 'x' } })
    expect(fake.broadcasts[5]?.body).toEqual({ recipients: { segment: { id: 7 } } })
    expect(answers).toEqual(fake.broadcasts.map(({ triggerId }) => ({ id: triggerId })))
    expect(fake.counts).toMatchObject({ operations: 6, broadcasts: 6, sends: 0 })
  })

  test.each<[string, object, string]>([
    ['two audiences', { ids: ['a'], emails: ['a@b.c'] }, 'emails'],
    ['invalid ids', { ids: ['a', {}] }, 'ids'],
    ['invalid emails', { emails: ['a'] }, 'emails'],
    ['too many ids', { ids: Array(10_001).fill('a') }, 'ids'],
    ['data without a person', { per_user_data: [{ data: {} }] }, 'per_user_data'],
    ['data with two identifiers', { per_user_data: [{ id: 'a', email: 'a@b.c' }] }, 'per_user_data'],
    ['a path instead of a URL', { data_file_url: '/file' }, 'data_file_url'],
    ['two filters', { recipients: { and: [], or: [] } }, 'recipients'],
    ['an unknown filter', { recipients: { and: [{ not: { xor: [] } }] } }, 'recipients'],
    ['a filter without a value', { recipients: { attribute: { field: 'a', operator: 'eq' } } }, 'recipients'],
    ['a word for a flag', { id_ignore_missing: 'yes' }, 'id_ignore_missing'],
    ['text for data', { data: 'x' }, 'data'],
    ['data over 50,000 bytes', { data: { d: 'a'.repeat(50_000) } }, 'data'],
  ])('%s: the trigger is refused', async (_, body, field) => {
    expect(await trigger(body)).toMatchObject({
      status: 422,
      body: {
        errors: [
          { detail: expect.any(String), source: { pointer: `/data/attributes/${field}` }, status: '422' },
        ],
      },
    })
    expect(fake.broadcasts).toEqual([])
  })

  test('nested filters are accepted', async () => {
    const exists = { attribute: { field: 'plan', operator: 'exists' } }
    const recipients = { and: [{ segment: { id: 3 } }, { or: [{ not: exists }, exists] }] }
    expect((await trigger({ recipients })).status).toBe(200)
  })

  test('a trigger may have a larger body than other requests', async () => {
    const per_user_data = Array.from({ length: 10_000 }, (_, i) => ({
      id: `u${i}`,
      data: { d: 'a'.repeat(500) },
    }))
    expect((await trigger({ per_user_data })).status).toBe(200)
  })

  test('a body that is not JSON is answered 400, an invalid broadcast id 404', async () => {
    expect(await trigger('{')).toMatchObject({ status: 400, body: { errors: [{ status: '400' }] } })
    for (const id of [0, 'x', -1]) expect((await trigger({}, id)).status).toBe(404)
  })
})

describe('credentials', () => {
  test('a request needs the current bearer token, also after a rotation', async () => {
    for (const authorization of ['', 'Bearer', 'Bearer other', `Basic ${btoa('app-key:')}`])
      expect((await post('/v1/send/push', template, authorization)).status).toBe(401)
    fake.credentials = { appApiKey: 'new' }
    await expect(client.sendEmail(email())).rejects.toMatchObject({ statusCode: 401 })
    expect((await post('/v1/send/push', template, 'bearer new')).status).toBe(200)
    fake.credentials = {}
    expect((await post('/v1/send/push', template, 'Bearer any')).status).toBe(200)
    expect((await post('/v1/send/push', template, '')).status).toBe(401)
    expect(fake.counts.sends).toBe(2)
  })
})

describe('limits', () => {
  test('messages above the limit per second are answered 429, not sent, and not counted against the limit', async () => {
    fake.limits = { transactionalPerSecond: 3 }
    const replies = await Promise.all(Array.from({ length: 5 }, () => send('push', template)))
    const statuses = replies.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect(replies.every(({ headers }) => !headers.has('retry-after'))).toBe(true)
    expect(fake.sends).toHaveLength(3)
    await new Promise((resolve) => setTimeout(resolve, 1_010))
    expect((await send('push', template)).status).toBe(200)
    expect((await trigger({})).status).toBe(200)
  })

  test('a second broadcast within the interval is answered 429', async () => {
    fake.limits = { broadcastEverySeconds: 1 }
    expect((await trigger({})).status).toBe(200)
    expect((await trigger({}, 4)).status).toBe(429)
    await new Promise((resolve) => setTimeout(resolve, 1_010))
    expect((await trigger({})).status).toBe(200)
    fake.limits = {}
    expect((await trigger({})).status).toBe(200)
    expect(fake.broadcasts).toHaveLength(3)
  })

  test('a limit out of range throws', async () => {
    await expect(startFakeCustomerIo({ limits: { transactionalPerSecond: 0 } })).rejects.toThrow('Expected')
    expect(() => {
      fake.limits = { broadcastEverySeconds: 0 }
    }).toThrow('Expected broadcastEverySeconds')
  })
})

describe('misbehaviours', () => {
  const sendsOnly = { match: ({ path }: { path: string }) => path.startsWith('/v1/send') }

  test.each<[Misbehaviour, object]>([
    [{ kind: 'reset', after: 'apply' }, { cause: { code: 'ECONNRESET' } }],
    [{ kind: 'garbage' }, { message: expect.stringContaining('Unable to parse JSON') }],
    [{ kind: 'html', after: 'apply' }, { message: expect.stringContaining('Unable to parse JSON') }],
    [{ kind: 'serverError', after: 'apply' }, { statusCode: 500 }],
  ])('%o: the message is sent, and its answer is lost', async (misbehaviour, expected) => {
    fake.misbehave({ ...misbehaviour, ...sendsOnly, times: 1 })
    await expect(client.sendEmail(email())).rejects.toMatchObject(expected)
    expect(fake.sends).toHaveLength(1)
    await client.sendEmail(email())
    expect(fake.sends).toHaveLength(2)
  })

  test('hang after apply: the message is sent and never answered', async () => {
    fake.misbehave({ kind: 'hang', after: 'apply', ...sendsOnly, times: 1 })
    const impatient = new APIClient('app-key', {
      url: `${fake.url}/v1`,
      retry: { maxRetries: 0 },
      timeout: 300,
    })
    await expect(impatient.sendEmail(email())).rejects.toMatchObject({ name: 'TimeoutError' })
    await fake.until(({ sends }) => sends.length === 1)
  })

  test.each<Misbehaviour>([
    { kind: 'outage' },
    { kind: 'hang' },
    { kind: 'reset', after: 'before' },
    { kind: 'rateLimit', retryAfter: 3 },
    { kind: 'serverError' },
    { kind: 'unauthorized' },
    { kind: 'badRequest', operation: ({ kind, body }) => kind === 'email' && body?.to === 'a@b.c' },
    { kind: 'failOn', operation: ({ kind }) => kind === 'email' },
    { kind: 'redirect', location: 'http://127.0.0.1:1/' },
  ])('%o: the message is not sent', async (misbehaviour) => {
    fake.misbehave({ ...misbehaviour, ...sendsOnly, times: 1 })
    const impatient = new APIClient('app-key', {
      url: `${fake.url}/v1`,
      retry: { maxRetries: 0 },
      timeout: 300,
    })
    await expect(impatient.sendEmail(email())).rejects.toThrow()
    expect(fake.sends).toEqual([])
    expect(fake.requests.recent[0]?.misbehaviour).toBe(misbehaviour.kind)
  })

  test('match can limit an outage to one API', async () => {
    fake.misbehave({ kind: 'outage', match: ({ api }) => api === 'app' })
    expect((await fetch(`${fake.url}/v1/send/email`, { method: 'POST' })).status).toBe(503)
    const response = await fetch(`${fake.url}/api/v2/entity`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('s:k')}` },
      body: JSON.stringify({ type: 'person', identifiers, action: 'event', name: 'x' }),
    })
    expect(response.status).toBe(200)
    expect(fake.counts).toMatchObject({ applied: 1, sends: 0 })
  })

  test('predicates see broadcasts, and the misbehaviour refuse does not affect the App API', async () => {
    fake.misbehave({ kind: 'refuse', operation: () => true })
    fake.misbehave({ kind: 'badRequest', operation: ({ broadcastId }) => broadcastId === 3 })
    expect(await trigger({})).toMatchObject({ status: 400, body: { errors: [{ status: '400' }] } })
    expect((await trigger({}, 4)).status).toBe(200)
    expect((await send('push', template)).status).toBe(200)
  })

  test('drip sends the whole answer', async () => {
    fake.misbehave({ kind: 'drip', everyMs: 1 })
    expect(await client.sendEmail(email())).toMatchObject({ delivery_id: fake.sends[0]?.deliveryId })
  })

  test('a message without credentials is not sent, even if the misbehaviour garbage answers 200', async () => {
    fake.misbehave({ kind: 'garbage' })
    expect((await fetch(`${fake.url}/v1/send/email`, { method: 'POST' })).status).toBe(200)
    expect(fake.sends).toEqual([])
  })
})
