import { TrackClient } from 'customerio-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, type Misbehaviour, startFakeCustomerIo } from '../../src/testing/index.ts'

let fake: FakeCustomerIo

beforeEach(async () => {
  fake = await startFakeCustomerIo()
})
afterEach(() => fake.close())

const event = (name: string) => ({ type: 'person', identifiers: { id: 'u1' }, action: 'event', name })

interface Reply {
  readonly status: number
  readonly type: string | null
  readonly text: string
  readonly headers: Headers
}

async function send(path: string, body: unknown, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(`${fake.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('site:key')}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    redirect: 'manual',
    ...init,
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text,
    headers: response.headers,
  }
}

const batch = (...names: string[]) => send('/api/v2/batch', { batch: names.map(event) })
const applied = () => fake.applied.map(({ name }) => name)

describe('misbehaviours that replace the answer', () => {
  test.each<[Misbehaviour, Partial<Reply>]>([
    [{ kind: 'outage' }, { status: 503, type: 'text/html' }],
    [
      { kind: 'outage', status: 504 },
      { status: 504, type: 'text/html' },
    ],
    [{ kind: 'serverError' }, { status: 500, type: 'application/json' }],
    [
      { kind: 'serverError', status: 599 },
      { status: 599, type: 'application/json' },
    ],
    [{ kind: 'html' }, { status: 502, type: 'text/html' }],
    [
      { kind: 'html', status: 403 },
      { status: 403, type: 'text/html' },
    ],
    [{ kind: 'rateLimit' }, { status: 429, type: 'application/json' }],
    [{ kind: 'unauthorized' }, { status: 401, type: 'text/plain', text: 'Unauthorized' }],
    [
      { kind: 'unauthorized', status: 403 },
      { status: 403, type: 'text/plain' },
    ],
    [
      { kind: 'garbage', after: 'before' },
      { status: 200, type: 'text/plain', text: 'OK' },
    ],
    [{ kind: 'redirect', location: 'https://elsewhere.test/' }, { status: 301 }],
  ])('%o applies nothing', async (misbehaviour, expected) => {
    const stop = fake.misbehave(misbehaviour)
    expect(await batch('a')).toMatchObject(expected)
    expect(applied()).toEqual([])
    expect(fake.requests.recent[0]).toMatchObject({
      misbehaviour: misbehaviour.kind,
      status: expected.status,
    })
    stop()
    expect(await batch('a')).toMatchObject({ status: 200, text: '{}' })
  })

  test('garbage applies the operations and answers with the given body', async () => {
    fake.misbehave({ kind: 'garbage', body: '{"errors":[' })
    expect(await batch('a')).toMatchObject({ status: 200, text: '{"errors":[' })
    expect(applied()).toEqual(['a'])
  })

  test.each<Misbehaviour>([
    { kind: 'serverError', after: 'apply' },
    { kind: 'html', status: 504, after: 'apply' },
  ])('%o applies the operations', async (misbehaviour) => {
    fake.misbehave(misbehaviour)
    expect((await batch('a')).status).toBeGreaterThanOrEqual(500)
    expect(applied()).toEqual(['a'])
  })

  test('rateLimit sends Retry-After if it is given', async () => {
    fake.misbehave({ kind: 'rateLimit', times: 1 })
    expect((await batch('a')).headers.has('retry-after')).toBe(false)
    fake.misbehave({ kind: 'rateLimit', retryAfter: 7 })
    expect((await batch('a')).headers.get('retry-after')).toBe('7')
    const client = new TrackClient('s', 'k', { url: `${fake.url}/api/v1`, retry: { maxRetries: 0 } })
    await expect(client.identify('u1')).rejects.toMatchObject({
      statusCode: 429,
      response: { headers: { 'retry-after': '7' } },
    })
  })

  test('redirect sends the given Location', async () => {
    fake.misbehave({ kind: 'redirect', location: 'https://elsewhere.test/x', status: 308 })
    const reply = await batch('a')
    expect([reply.status, reply.headers.get('location')]).toEqual([308, 'https://elsewhere.test/x'])
  })
})

describe('connections', () => {
  test.each<['apply' | 'before', string[]]>([
    ['before', []],
    ['apply', ['a']],
  ])('reset with after: %s closes the connection without an answer', async (after, expected) => {
    fake.misbehave({ kind: 'reset', after, times: 1 })
    await expect(batch('a')).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(applied()).toEqual(expected)
    expect(fake.requests.recent[0]).toMatchObject({ status: undefined, misbehaviour: 'reset' })
    expect((await batch('b')).status).toBe(200)
  })

  test.each<['apply' | undefined, string[]]>([
    [undefined, []],
    ['apply', ['a']],
  ])('hang with after: %s never answers', async (after, expected) => {
    fake.misbehave({ kind: 'hang', times: 1, ...(after === undefined ? {} : { after }) })
    const controller = new AbortController()
    const hanging = send('/api/v2/batch', { batch: [event('a')] }, { signal: controller.signal })
    const outcome = expect(hanging).rejects.toMatchObject({ name: 'AbortError' })
    await fake.until(() => fake.counts.requests === 1)
    expect(applied()).toEqual(expected)
    expect((await batch('b')).status).toBe(200)
    controller.abort()
    await outcome
  })

  test('drip sends the answer byte by byte', async () => {
    fake.misbehave({ kind: 'drip', everyMs: 1 })
    expect(await batch('a')).toMatchObject({ status: 200, text: '{}' })
    expect(applied()).toEqual(['a'])
  })
})

describe('single operations', () => {
  test('refuse answers a batch with 207 and the refusal that the predicate returns', async () => {
    fake.misbehave({
      kind: 'refuse',
      operation: ({ name }) => name === 'b' && { reason: 'nope', field: 'name' },
    })
    fake.misbehave({ kind: 'refuse', operation: ({ name }) => name === 'c' })
    const reply = await batch('a', 'b', 'c', 'd')
    expect(reply.status).toBe(207)
    expect(JSON.parse(reply.text).errors).toEqual([
      { batch_index: 1, reason: 'nope', field: 'name', message: expect.any(String) },
      { batch_index: 2, reason: 'invalid', field: '', message: expect.any(String) },
    ])
    expect(applied()).toEqual(['a', 'd'])
    expect(fake.counts.refused).toBe(2)
  })

  test('refuse answers other endpoints with 400', async () => {
    fake.misbehave({ kind: 'refuse', operation: ({ action }) => action === 'event' })
    expect(await send('/api/v2/entity', event('a'))).toMatchObject({ status: 400 })
    expect(JSON.parse((await send('/api/v1/customers/u1/events', { name: 'a' })).text)).toEqual({
      meta: { errors: ['refused by the test'] },
    })
  })

  test('badRequest refuses the whole batch because of one operation', async () => {
    fake.misbehave({ kind: 'badRequest', operation: ({ name }) => name === 'b', refusal: { field: 'name' } })
    const reply = await batch('a', 'b', 'c')
    expect(reply.status).toBe(400)
    expect(JSON.parse(reply.text)).toEqual({
      errors: [{ reason: 'invalid', field: 'name', message: expect.any(String) }],
    })
    expect((await batch('a', 'c')).status).toBe(200)
    expect(applied()).toEqual(['a', 'c'])
  })

  test('failOn answers 500 to every request with the operation', async () => {
    fake.misbehave({ kind: 'failOn', operation: ({ name }) => name === 'b' })
    expect((await batch('a', 'b')).status).toBe(500)
    expect((await send('/api/v1/customers/u1/events', { name: 'b' })).status).toBe(500)
    expect((await batch('a')).status).toBe(200)
    expect(applied()).toEqual(['a'])
  })

  test('predicates receive only objects, and a request is answered 500 if a predicate throws', async () => {
    fake.misbehave({ kind: 'failOn', operation: ({ name }) => name?.startsWith('x') ?? false })
    expect((await send('/api/v2/batch', { batch: [null, 1, event('a')] })).status).toBe(207)
    fake.misbehave({
      kind: 'failOn',
      operation: () => {
        throw new Error('mistake in the test')
      },
    })
    expect(await batch('a')).toMatchObject({
      status: 500,
      text: expect.stringContaining('mistake in the test'),
    })
  })
})

describe('scope', () => {
  test('several misbehaviours with times take effect one after the other', async () => {
    fake.misbehave({ kind: 'rateLimit', times: 1 })
    fake.misbehave({ kind: 'serverError', times: 2 })
    const statuses: number[] = []
    for (const name of ['a', 'b', 'c', 'd']) statuses.push((await batch(name)).status)
    expect(statuses).toEqual([429, 500, 500, 200])
  })

  test('times counts only affected requests', async () => {
    fake.misbehave({ kind: 'failOn', times: 1, operation: ({ name }) => name === 'b' })
    const statuses: number[] = []
    for (const name of ['a', 'b', 'b']) statuses.push((await batch(name)).status)
    expect(statuses).toEqual([200, 500, 200])
  })

  test('match receives method, path and operations, and operations of v1 have the form of v2', async () => {
    fake.misbehave({
      kind: 'outage',
      match: ({ method, path, operations }) =>
        method === 'POST' && path.endsWith('/events') && operations[0]?.identifiers?.id === 'u2',
    })
    expect((await send('/api/v1/customers/u1/events', { name: 'a' })).status).toBe(200)
    expect((await send('/api/v1/customers/u2/events', { name: 'a' })).status).toBe(503)
  })

  test('the returned function ends one misbehaviour, behave ends all', async () => {
    const stop = fake.misbehave({ kind: 'outage' })
    fake.misbehave({ kind: 'serverError' })
    expect((await batch('a')).status).toBe(503)
    stop()
    stop()
    expect((await batch('a')).status).toBe(500)
    fake.behave()
    expect((await batch('a')).status).toBe(200)
  })

  test('latency delays the answer, not the effect', async () => {
    fake.misbehave({ kind: 'latency', ms: 60_000, times: 1 })
    const controller = new AbortController()
    const slow = send('/api/v2/batch', { batch: [event('a')] }, { signal: controller.signal })
    const outcome = expect(slow).rejects.toMatchObject({ name: 'AbortError' })
    await fake.until(() => fake.counts.applied === 1)
    expect(fake.requests.recent[0]?.status).toBeUndefined()
    expect((await batch('b')).status).toBe(200)
    controller.abort()
    await outcome
  })

  test('a caller that gives up during the latency does not disturb later requests', async () => {
    fake.latencyMs = 20
    const controller = new AbortController()
    const slow = send('/api/v2/batch', { batch: [event('a')] }, { signal: controller.signal })
    const outcome = expect(slow).rejects.toMatchObject({ name: 'AbortError' })
    await fake.until(() => fake.counts.applied === 1)
    controller.abort()
    await outcome
    // The second request has the same latency, so its answer comes after the first answer would have come.
    expect((await batch('b')).status).toBe(200)
  })

  test.each<Misbehaviour>([
    { kind: 'outage', times: 0 },
    { kind: 'latency', ms: -1 },
    { kind: 'serverError', status: 400 },
    { kind: 'drip', everyMs: Number.NaN },
  ])('%o throws at once', (misbehaviour) => {
    expect(() => fake.misbehave(misbehaviour)).toThrow(/^Expected /)
  })
})
