import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, publishedLimits, startFakeCustomerIo } from '../../src/testing/index.ts'

let fake: FakeCustomerIo

beforeEach(async () => {
  fake = await startFakeCustomerIo()
})
afterEach(() => fake.close())

async function call(method: string, path: string, body: unknown): Promise<number> {
  const headers = { authorization: `Basic ${btoa('site:key')}`, 'content-type': 'application/json' }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${fake.url}${path}`, { method, headers, body: text })
  await response.arrayBuffer()
  return response.status
}

/** A text of exactly `bytes` bytes of UTF-8, mostly of the given character. */
function text(bytes: number, character = '語'): string {
  const width = Buffer.byteLength(character)
  return character.repeat(Math.floor(bytes / width)) + 'x'.repeat(bytes % width)
}

const entity = (operation: object) => call('POST', '/api/v2/entity', operation)
const u1 = { type: 'person', identifiers: { id: 'u1' } }
const identify = (attributes: object) => entity({ ...u1, action: 'identify', attributes })
const named = (name: string) => entity({ ...u1, action: 'event', name })

const accepted = 200
const refused = 400

describe.each([
  ['1 byte per character', 'x'],
  ['3 bytes per character', '語'],
  ['4 bytes per character', '🦀'],
])('limits in bytes, %s', (_, character) => {
  test('an id may have up to 150 bytes', async () => {
    const at = text(150, character)
    const over = text(151, character)
    expect(await entity({ type: 'person', identifiers: { id: at }, action: 'delete' })).toBe(accepted)
    expect(await entity({ type: 'person', identifiers: { id: over }, action: 'delete' })).toBe(refused)
    expect(await call('PUT', `/api/v1/customers/${encodeURIComponent(at)}`, {})).toBe(accepted)
    expect(await call('PUT', `/api/v1/customers/${encodeURIComponent(over)}`, {})).toBe(refused)
  })

  test('an attribute name may have up to 150 bytes', async () => {
    expect(await identify({ [text(150, character)]: 1 })).toBe(accepted)
    expect(await identify({ [text(151, character)]: 1 })).toBe(refused)
    expect(await call('PUT', '/api/v1/customers/u1', { [text(150, character)]: 1 })).toBe(accepted)
    expect(await call('PUT', '/api/v1/customers/u1', { [text(151, character)]: 1 })).toBe(refused)
  })

  test('an attribute value may have up to 1,000 bytes', async () => {
    expect(await identify({ a: text(1_000, character) })).toBe(accepted)
    expect(await identify({ a: text(1_001, character) })).toBe(refused)
  })

  test('a nested attribute value may have up to 1,000 bytes of JSON', async () => {
    const overhead = JSON.stringify({ in: '' }).length
    expect(await identify({ a: { in: text(1_000 - overhead, character) } })).toBe(accepted)
    expect(await identify({ a: { in: text(1_001 - overhead, character) } })).toBe(refused)
  })

  test('an event name may have up to 100 bytes', async () => {
    expect(await named(text(100, character))).toBe(accepted)
    expect(await named(text(101, character))).toBe(refused)
    const track = (name: string) => call('POST', '/api/v1/customers/u1/events', { name })
    expect(await track(text(100, character))).toBe(accepted)
    expect(await track(text(101, character))).toBe(refused)
  })

  test('event data of v1 may have up to 100,000 bytes', async () => {
    const overhead = JSON.stringify({ d: '' }).length
    const track = (bytes: number) =>
      call('POST', '/api/v1/customers/u1/events', {
        name: 'x',
        data: { d: text(bytes - overhead, character) },
      })
    expect(await track(100_000)).toBe(accepted)
    expect(await track(100_001)).toBe(refused)
  })

  test('an operation may have up to 32,000 bytes, alone and in a batch', async () => {
    const operation = (bytes: number) => {
      const empty = { ...u1, action: 'event', name: 'x', attributes: { d: '' } }
      const overhead = Buffer.byteLength(JSON.stringify(empty))
      return { ...empty, attributes: { d: text(bytes - overhead, character) } }
    }
    const batch = (bytes: number) => call('POST', '/api/v2/batch', { batch: [operation(bytes)] })
    expect(await entity(operation(32_000))).toBe(accepted)
    expect(await entity(operation(32_001))).toBe(413)
    expect(await batch(32_000)).toBe(accepted)
    expect(await batch(32_001)).toBe(207)
  })
})

test('an identify may set up to 300 attributes', async () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, i]))
  expect(await identify(many(300))).toBe(accepted)
  expect(await identify(many(301))).toBe(refused)
  expect(await call('PUT', '/api/v1/customers/u1', { ...many(300), _timestamp: 1 })).toBe(accepted)
  expect(await call('PUT', '/api/v1/customers/u1', many(301))).toBe(refused)
})

test('a batch may have up to 500,000 bytes', async () => {
  const body = (bytes: number) => {
    const batch = Array.from({ length: 20 }, (_, i) => ({
      ...u1,
      action: 'event',
      name: `${i}`,
      attributes: { d: '' },
    }))
    const missing = bytes - Buffer.byteLength(JSON.stringify({ batch }))
    for (const [index, operation] of batch.entries())
      operation.attributes.d = text(Math.floor(missing / 20) + (index < missing % 20 ? 1 : 0))
    return JSON.stringify({ batch })
  }
  expect(Buffer.byteLength(body(publishedLimits.batchBytes))).toBe(500_000)
  expect(await call('POST', '/api/v2/batch', body(500_000))).toBe(accepted)
  expect(await call('POST', '/api/v2/batch', body(500_001))).toBe(413)
  expect(fake.counts.applied).toBe(20)
})

test('a body that is too long to be kept is refused, and its length is recorded', async () => {
  const bytes = 6_000_000
  expect(await call('POST', '/api/v1/customers/u1/events', ' '.repeat(bytes))).toBe(refused)
  expect(fake.requests.recent[0]).toMatchObject({ bytes, operations: 0, status: 400 })
})

test('escapes count with their length in JSON', async () => {
  const overhead = Buffer.byteLength(JSON.stringify({ in: '' }))
  const quotes = (count: number) => identify({ a: { in: '"'.repeat(count) } })
  expect(await quotes((1_000 - overhead) / 2)).toBe(accepted)
  expect(await quotes((1_000 - overhead) / 2 + 1)).toBe(refused)
})
