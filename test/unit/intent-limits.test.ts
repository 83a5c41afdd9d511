import { describe, expect, test } from 'vitest'
import type { Intent } from '../../src/intent/intent.ts'
import { wireBytes } from '../../src/intent/size.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

/** A text of exactly `bytes` bytes of UTF-8. Most of its characters take three bytes. */
function text(bytes: number): string {
  return '€'.repeat(Math.floor(bytes / 3)) + 'x'.repeat(bytes % 3)
}

const identify = (attributes: object) => ({ operation: 'identify', customerId: '42', attributes })
const track = (fields: object) => ({ operation: 'track', customerId: '42', name: 'x', ...fields })
const entity = (fields: object) => ({
  operation: 'entity',
  entity: { type: 'person', identifiers: { id: '42' }, action: 'identify', ...fields },
})

describe.each<[string, number, string, (bytes: number) => unknown]>([
  ['customerId', 150, 'customerId', (n) => track({ customerId: text(n) })],
  [
    'identifiers',
    150,
    'identifiers.email',
    (n) => track({ customerId: undefined, identifiers: { email: text(n) } }),
  ],
  [
    'a merge',
    150,
    'secondary.cio_id',
    (n) => ({ operation: 'mergeCustomers', primary: { id: 1 }, secondary: { cio_id: text(n) } }),
  ],
  [
    'an object',
    150,
    'entity.identifiers.object_id',
    (n) => entity({ type: 'object', identifiers: { object_type_id: '1', object_id: text(n) } }),
  ],
  ['event name', 100, 'name', (n) => track({ name: text(n) })],
  ['page path', 100, 'path', (n) => ({ operation: 'trackPageView', customerId: '42', path: text(n) })],
  ['screen name', 100, 'name', (n) => ({ operation: 'trackScreen', customerId: '42', name: text(n) })],
  ["an entity's event name", 100, 'entity.name', (n) => entity({ action: 'event', name: text(n) })],
  ['attribute value', 1_000, 'attributes.note', (n) => identify({ note: text(n) })],
  [
    "an entity's attribute value",
    1_000,
    'entity.attributes["a b"]',
    (n) => entity({ attributes: { 'a b': text(n) } }),
  ],
])('%s', (_name, limit, field, make) => {
  test(`${limit} bytes are accepted`, () => {
    const intent = make(limit)
    expect(validateIntent(intent)).toBe(intent)
  })

  test(`${limit + 1} bytes are refused`, () => {
    const { operation } = make(limit) as Intent
    expect(() => validateIntent(make(limit + 1))).toThrow(
      expect.objectContaining({
        field,
        limit,
        actual: limit + 1,
        message: `${operation}: ${field} is ${limit + 1} bytes, Customer.io takes at most ${limit} bytes (UTF-8)`,
      }),
    )
  })
})

describe('attributes', () => {
  test('names of 150 bytes are accepted, of 151 refused', () => {
    expect(() => validateIntent(identify({ [text(150)]: 1 }))).not.toThrow()
    const cut = `attributes["${'€'.repeat(50)}x"]`
    expect(() => validateIntent(identify({ [text(151)]: 1 }))).toThrow(
      expect.objectContaining({
        field: cut,
        limit: 150,
        actual: 151,
        message: `identify: ${cut} has a name of 151 bytes, Customer.io takes at most 150 bytes (UTF-8)`,
      }),
    )
  })

  test('a value that is not a string counts by its JSON', () => {
    const list = (bytes: number) => identify({ list: [text(bytes - 4)] })
    expect(() => validateIntent(list(1_000))).not.toThrow()
    expect(() => validateIntent(list(1_001))).toThrow(
      'identify: attributes.list is 1001 bytes, Customer.io takes at most 1000 bytes (UTF-8) of JSON',
    )
  })

  test('300 are accepted, 301 refused; undefined and relationships do not count', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, i]))
    expect(() =>
      validateIntent(identify({ ...many(300), left: undefined, cio_relationships: [] })),
    ).not.toThrow()
    expect(() => validateIntent(identify(many(301)))).toThrow(
      expect.objectContaining({
        field: 'attributes',
        limit: 300,
        actual: 301,
        message:
          'identify: attributes has 301 attributes, Customer.io takes at most 300 a call: enqueue several',
      }),
    )
  })

  test.each([
    ['', 'identify: attributes[""] is empty'],
    ['  ', 'identify: attributes["  "] is only spaces'],
  ])('the name %j is refused', (name, message) => {
    expect(() => validateIntent(identify({ [name]: 1 }))).toThrow(message)
  })

  test('relationships are not limited as an attribute value, but their own attributes are', () => {
    const relationships = Array.from({ length: 40 }, (_, i) => ({
      identifiers: { object_type_id: '1', object_id: `company-${i}` },
      relationship_attributes: { role: i === 39 ? text(1_001) : 'admin' },
    }))
    expect(() => validateIntent(identify({ cio_relationships: relationships.slice(0, 39) }))).not.toThrow()
    expect(() => validateIntent(identify({ cio_relationships: relationships }))).toThrow(
      'identify: attributes.cio_relationships[39].relationship_attributes.role is 1001 bytes',
    )
  })

  test('the data of an event is limited by the size of the operation only', () => {
    const data = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`a${i}`, i]))
    expect(() => validateIntent(track({ data: { ...data, note: text(5_000) } }))).not.toThrow()
  })
})

describe('one operation', () => {
  const sized = (bytes: number) => {
    const empty = wireBytes(track({ data: { note: '' } }) as Intent)
    return track({ data: { note: text(bytes - empty) } }) as Intent
  }

  test('32,000 bytes are accepted, envelope included', () => {
    expect(wireBytes(sized(32_000))).toBe(32_000)
    expect(() => validateIntent(sized(32_000))).not.toThrow()
  })

  test('32,001 bytes are refused', () => {
    expect(() => validateIntent(sized(32_001))).toThrow(
      expect.objectContaining({
        field: '',
        limit: 32_000,
        actual: 32_001,
        message:
          'track is 32001 bytes, Customer.io takes at most 32000 bytes (UTF-8) for one operation, envelope included: send less data, or a link to it',
      }),
    )
    expect(() => validateIntent(sized(32_001), 3)).toThrow('track: [3] is 32001 bytes')
  })
})
