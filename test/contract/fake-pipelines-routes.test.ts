import { PipelinesClient } from 'customerio-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, type Misbehaviour, startFakeCustomerIo } from '../../src/testing/index.ts'

let fake: FakeCustomerIo
let strict: PipelinesClient

const clientOf = (writeKey: string, strictMode: boolean) =>
  new PipelinesClient(writeKey, {
    url: `${fake.url}/v1`,
    strictMode,
    retry: { maxRetries: 0 },
    timeout: 5_000,
  })

beforeEach(async () => {
  fake = await startFakeCustomerIo({
    pipelinesWriteKey: 'write-key',
    sequenceOf: ({ body }) => (body?.properties as { seq?: number } | undefined)?.seq,
  })
  strict = clientOf('write-key', true)
})
afterEach(() => fake.close())

const strictly = { 'x-strict-mode': '1' }
async function post(path: string, body: unknown, headers: Record<string, string> = strictly) {
  const response = await fetch(`${fake.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('write-key:')}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}
const track = (messageId: string, seq?: number, userId = 'u1') => ({
  type: 'track' as const,
  userId,
  event: 'x',
  messageId,
  ...(seq === undefined ? {} : { properties: { seq } }),
})

describe('messages', () => {
  test('messages of every kind are recorded in order, alone and in a batch', async () => {
    const timestamp = '2026-01-02T03:04:05.678Z'
    expect(
      await strict.identify({ userId: 'u1', traits: { plan: 'pro' }, messageId: 'm1', timestamp }),
    ).toEqual({})
    await strict.track({ anonymousId: 'a1', event: 'x' })
    await strict.page({ userId: 'u1', name: '/home', category: 'c' })
    await strict.screen({ userId: 'u1', name: 'Home' })
    await strict.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' } })
    await strict.alias({ userId: 'u1', previousId: 'a1' })
    await strict.batch([
      { type: 'identify', userId: 2 },
      { type: 'track', userId: 'u2', event: 'y', timestamp: '2026-01-02T03:04:05+01:00' },
    ])
    expect(
      fake.pipelines.map(({ ordinal, type, personKey, name }) => [ordinal, type, personKey, name]),
    ).toEqual([
      [1, 'identify', 'userId:u1', undefined],
      [2, 'track', 'anonymousId:a1', 'x'],
      [3, 'page', 'userId:u1', '/home'],
      [4, 'screen', 'userId:u1', 'Home'],
      [5, 'group', 'userId:u1', undefined],
      [6, 'alias', 'userId:u1', undefined],
      [7, 'identify', 'userId:2', undefined],
      [8, 'track', 'userId:u2', 'y'],
    ])
    expect(fake.pipelines[0]).toMatchObject({
      requestOrdinal: 1,
      messageId: 'm1',
      timestamp,
      body: { traits: { plan: 'pro' }, context: { library: { name: 'customerio-node' } } },
      duplicate: false,
    })
    expect(fake.counts).toMatchObject({ requests: 7, operations: 8, pipelines: 8, applied: 0, dropped: 0 })
    expect(fake.person({ id: 'u1' })).toBeUndefined()
  })

  test('messages that the API description allows, but customerio-node does not send, are accepted', async () => {
    expect((await post('/v1/identify', { userId: '', traits: { email: 'A@b.c' } })).status).toBe(200)
    expect((await post('/v1/track', { groupId: 'g', event: 'x' })).status).toBe(200)
    expect((await post('/v1/track', { event: 'Report Delivery Event', properties: {} })).status).toBe(200)
    expect(fake.pipelines.map(({ personKey }) => personKey)).toEqual(['email:a@b.c', 'groupId:g', 'unknown'])
  })

  test('a message with a repeated id is dropped, in the same batch and later', async () => {
    await post('/v1/batch', { batch: [track('m1'), track('m1'), track('m2')] })
    await post('/v1/track', { ...track('m2'), event: 'other' })
    await post('/v1/track', track('m1'))
    expect(fake.pipelines.map(({ messageId }) => messageId)).toEqual(['m1', 'm2'])
    expect(
      fake.pipelinesDuplicates.map(({ messageId, requestOrdinal, firstOrdinal, sameBody }) => [
        messageId,
        requestOrdinal,
        firstOrdinal,
        sameBody,
      ]),
    ).toEqual([
      ['m1', 1, 1, true],
      ['m2', 2, 2, false],
      ['m1', 3, 1, true],
    ])
    expect(fake.counts).toMatchObject({ pipelines: 2, duplicates: 3 })
    expect(fake.duplicates).toEqual([])
  })

  test('a message that was refused or dropped does not use up its id', async () => {
    expect((await post('/v1/track', { ...track('m1'), event: '' })).status).toBe(400)
    expect((await post('/v1/track', { ...track('m1'), event: '' }, {})).status).toBe(200)
    await post('/v1/track', track('m1'))
    expect(fake.counts).toMatchObject({ pipelines: 1, duplicates: 0, dropped: 1, refused: 1 })
  })

  test('the order is checked per user, separately from the Track API', async () => {
    const sequences: [string, number][] = [
      ['u1', 1],
      ['u1', 3],
      ['u2', 1],
      ['u1', 2],
      ['u1', 4],
    ]
    await post('/v1/batch', { batch: sequences.map(([user, seq]) => track(`${user}-${seq}`, seq, user)) })
    await post('/v1/track', track('u1-1', 1))
    await post('/v1/track', track('again', 1))
    expect(fake.outOfOrder).toEqual([{ personKey: 'userId:u1', ordinal: 4, sequence: 2, after: 3 }])
    expect(fake.counts.outOfOrder).toBe(1)
  })
})

describe('refusals', () => {
  const u1 = { userId: 'u1' }
  const wrong: [string, string, object][] = [
    ['no user', '/v1/identify', { traits: {} }],
    ['an empty user', '/v1/track', { userId: '', event: 'x' }],
    ['an object for a user', '/v1/page', { userId: {} }],
    ['no event', '/v1/track', u1],
    ['an empty event', '/v1/track', { ...u1, event: ' ' }],
    ['no group', '/v1/group', u1],
    ['no previous id', '/v1/alias', u1],
    ['no user of an alias', '/v1/alias', { anonymousId: 'a', previousId: 'b' }],
    ['another type', '/v1/page', { ...u1, type: 'track' }],
    ['a number for a name', '/v1/screen', { ...u1, name: 1 }],
    ['text for properties', '/v1/track', { ...u1, event: 'x', properties: 'y' }],
    ['a list for traits', '/v1/identify', { ...u1, traits: [] }],
    ['Unix time', '/v1/identify', { ...u1, timestamp: 1_700_000_000 }],
    ['a date without a time', '/v1/identify', { ...u1, timestamp: '2026-01-02' }],
    ['an invalid time', '/v1/identify', { ...u1, timestamp: '2026-13-02T03:04:05Z' }],
    ['a number for a message id', '/v1/identify', { ...u1, messageId: 1 }],
    ['an integration that is no boolean', '/v1/identify', { ...u1, integrations: { All: 'yes' } }],
    ['a message over 32,000 bytes', '/v1/identify', { ...u1, traits: { d: 'a'.repeat(32_000) } }],
    ['no type in a batch', '/v1/batch', { batch: [u1] }],
    ['no object in a batch', '/v1/batch', { batch: ['x'] }],
    ['an empty batch', '/v1/batch', { batch: [] }],
    ['no batch', '/v1/batch', {}],
    ['text for the context of a batch', '/v1/batch', { batch: [track('m')], context: 'x' }],
    [
      'a message over 32,000 bytes in a batch',
      '/v1/batch',
      { batch: [{ ...track('m'), properties: { d: 'a'.repeat(32_000) } }] },
    ],
    [
      'a batch over 500,000 bytes',
      '/v1/batch',
      {
        batch: Array.from({ length: 20 }, (_, i) => ({
          ...track(`${i}`),
          properties: { d: 'a'.repeat(25_000) },
        })),
      },
    ],
  ]

  test.each(wrong)('%s is answered 400 in strict mode, else 200 and dropped', async (_, path, body) => {
    expect(await post(path, body)).toMatchObject({
      status: 400,
      body: { meta: { errors: [expect.any(String)] } },
    })
    expect(fake.pipelinesDropped).toEqual([])
    expect(await post(path, body, {})).toEqual({ status: 200, body: {} })
    expect(fake.pipelinesDropped).toMatchObject([{ requestOrdinal: 2, why: { reason: expect.any(String) } }])
    expect(fake.pipelines).toEqual([])
  })

  test('a body that is not JSON is answered 400 in strict mode, else 200 and dropped', async () => {
    expect((await post('/v1/batch', '{')).status).toBe(400)
    expect((await post('/v1/batch', '{', { 'x-strict-mode': 'true' })).status).toBe(200)
    expect(fake.pipelinesDropped).toMatchObject([{ body: undefined }])
  })

  test('a batch with a wrong message is refused as a whole in strict mode, else applied without the message', async () => {
    const batch = [track('m1'), { ...track('m2'), event: 1 }, track('m3'), { type: 'track', event: 'x' }]
    const reply = await post('/v1/batch', { batch })
    expect(reply).toMatchObject({ status: 400, body: { meta: { errors: { length: 2 } } } })
    expect(fake.counts).toMatchObject({ operations: 4, pipelines: 0, refused: 2 })
    await post('/v1/batch', { batch }, {})
    expect(fake.pipelines.map(({ messageId }) => messageId)).toEqual(['m1', 'm3'])
    expect(fake.pipelinesDropped.map(({ body, why }) => [body, why.field])).toEqual([
      [batch[1], 'event'],
      [batch[3], 'userId'],
    ])
    expect(fake.counts).toMatchObject({ pipelines: 2, dropped: 2, refused: 2 })
  })

  test('a message of exactly 32,000 bytes and a batch of exactly 500,000 bytes are accepted', async () => {
    const message = (bytes: number, id: string) => {
      const empty = { ...track(id), properties: { d: '' } }
      return {
        ...empty,
        properties: { d: 'ü'.repeat((bytes - Buffer.byteLength(JSON.stringify(empty))) / 2) },
      }
    }
    expect(Buffer.byteLength(JSON.stringify(message(32_000, 'aaa')))).toBe(32_000)
    expect((await post('/v1/track', message(32_000, 'aaa'))).status).toBe(200)
    expect((await post('/v1/track', message(32_002, 'abb'))).status).toBe(400)
    const text = JSON.stringify({ batch: [track('ccc')] })
    expect((await post('/v1/batch', text.padEnd(500_000))).status).toBe(200)
    expect((await post('/v1/batch', text.padEnd(500_001))).status).toBe(400)
    expect(fake.counts.pipelines).toBe(2)
  })
})

describe('credentials', () => {
  test('a wrong write key is answered 401 in strict mode, else 200 and the message is dropped', async () => {
    await expect(clientOf('other', true).batch([track('m1')])).rejects.toMatchObject({ statusCode: 401 })
    expect(fake.pipelinesDropped).toEqual([])
    expect(await clientOf('other', false).batch([track('m1'), track('m2')])).toEqual({})
    expect(
      fake.pipelinesDropped.map(({ body, why }) => [(body as { messageId: string }).messageId, why.reason]),
    ).toEqual([
      ['m1', 'unauthorized'],
      ['m2', 'unauthorized'],
    ])
    expect(fake.pipelines).toEqual([])
    fake.credentials = { pipelinesWriteKey: 'other' }
    await clientOf('other', true).batch([track('m1')])
    expect(fake.counts).toMatchObject({ pipelines: 1, dropped: 2 })
  })

  test('a fake without a configured write key accepts any write key with an empty password, and no other credentials', async () => {
    fake.credentials = {}
    const status = async (authorization: string) =>
      (await post('/v1/track', track('m'), { ...strictly, authorization })).status
    for (const authorization of ['', 'Bearer x', `Basic ${btoa(':')}`, `Basic ${btoa('site:key')}`])
      expect(await status(authorization)).toBe(401)
    expect(await status(`Basic ${btoa('any:')}`)).toBe(200)
  })
})

describe('misbehaviours', () => {
  test.each<Misbehaviour>([
    { kind: 'reset', after: 'apply' },
    { kind: 'garbage' },
    { kind: 'html', after: 'apply' },
    { kind: 'serverError', after: 'apply' },
  ])(
    '%o: the messages are applied, the answer is lost, and the retries are duplicates',
    async (misbehaviour) => {
      fake.misbehave({ ...misbehaviour, times: 1, match: ({ api }) => api === 'pipelines' })
      await expect(strict.batch([track('m1'), track('m2')])).rejects.toThrow()
      expect(fake.counts.pipelines).toBe(2)
      await strict.batch([track('m1'), track('m2')])
      expect(fake.counts).toMatchObject({ pipelines: 2, duplicates: 2 })
    },
  )

  test.each<[Misbehaviour, number | undefined]>([
    [{ kind: 'outage' }, undefined],
    [{ kind: 'rateLimit' }, 429],
    [{ kind: 'unauthorized', status: 403 }, undefined],
    [{ kind: 'serverError', status: 502 }, 502],
    [{ kind: 'badRequest', operation: ({ body }) => body?.messageId === 'm2' }, 400],
    [{ kind: 'failOn', operation: ({ kind, body }) => kind === 'track' && body?.messageId === 'm2' }, 500],
  ])('%o: no message is applied', async (misbehaviour, statusCode) => {
    fake.misbehave(misbehaviour)
    const outcome = expect(strict.batch([track('m1'), track('m2')])).rejects
    await (statusCode === undefined ? outcome.toThrow() : outcome.toMatchObject({ statusCode }))
    expect(fake.pipelines).toEqual([])
  })

  test('refuse answers the batch with 400 in strict mode, else drops the message', async () => {
    fake.misbehave({ kind: 'refuse', operation: ({ body }) => body?.messageId === 'm2' && { message: 'no' } })
    const batch = [track('m1'), track('m2')]
    await expect(strict.batch(batch)).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('no'),
    })
    expect(fake.counts.pipelines).toBe(0)
    await clientOf('write-key', false).batch(batch)
    expect(fake.counts).toMatchObject({ pipelines: 1, dropped: 1, refused: 1 })
  })
})

test('without keepOperations the counts, the deduplication and the order check still work on every API', async () => {
  await using sparing = await startFakeCustomerIo({
    keepOperations: false,
    sequenceOf: ({ body }) => (body?.properties as { seq?: number } | undefined)?.seq,
  })
  const call = async (path: string, authorization: string, body: object) => {
    const response = await fetch(`${sparing.url}${path}`, {
      method: 'POST',
      headers: { authorization },
      body: JSON.stringify(body),
    })
    await response.arrayBuffer()
    expect(response.status).toBe(200)
  }
  const basic = `Basic ${btoa('k:')}`
  await call('/v1/batch', basic, {
    batch: [track('m1', 2), track('m2', 1), track('m1', 2), { type: 'track' }],
  })
  await call('/v1/send/push', 'Bearer k', { identifiers: { id: 'u1' }, transactional_message_id: 1 })
  await call('/v1/campaigns/1/triggers', 'Bearer k', {})
  expect(sparing.counts).toMatchObject({
    operations: 6,
    pipelines: 2,
    duplicates: 1,
    dropped: 1,
    outOfOrder: 1,
    sends: 1,
    broadcasts: 1,
  })
  const { pipelines, pipelinesDuplicates, pipelinesDropped, sends, broadcasts } = sparing
  expect([pipelines, pipelinesDuplicates, pipelinesDropped, sends, broadcasts]).toEqual([[], [], [], [], []])
  sparing.reset()
  expect(sparing.counts).toMatchObject({ pipelines: 0, duplicates: 0, dropped: 0, outOfOrder: 0, sends: 0 })
})
