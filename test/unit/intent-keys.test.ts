import { describe, expect, test } from 'vitest'
import { contentKey } from '../../src/intent/keys/content-key.ts'
import { dedupKeyOf } from '../../src/intent/keys/dedup-key.ts'
import type { Intent } from '../../src/intent/intent.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { validateOptions } from '../../src/intent/validate/validate-options.ts'

const track = (fields: object): Intent =>
  ({ operation: 'track', customerId: '42', name: 'x', ...fields }) as Intent

describe('toPayload', () => {
  test('is the intent without its operation', () => {
    const intent = track({ data: { total: 1 }, timestamp: 5 })
    expect(toPayload(intent)).toEqual({ customerId: '42', name: 'x', data: { total: 1 }, timestamp: 5 })
    expect(intent.operation).toBe('track')
  })
})

describe('contentKey', () => {
  const key = contentKey(track({ data: { a: 1, b: [1, { c: 2, d: 3 }] } }))

  test('is a SHA-256 in hexadecimal', () => {
    expect(key).toMatch(/^content:[0-9a-f]{64}$/)
  })

  test.each<[string, Intent]>([
    [
      'the order of keys',
      { data: { b: [1, { d: 3, c: 2 }], a: 1 }, name: 'x', customerId: '42', operation: 'track' },
    ],
    ['a number for a text id', track({ customerId: 42, data: { a: 1, b: [1, { c: 2, d: 3 }] } })],
    [
      'identifiers for customerId',
      { operation: 'track', identifiers: { id: 42 }, name: 'x', data: { a: 1, b: [1, { c: 2, d: 3 }] } },
    ],
    [
      'a field that is undefined',
      track({ timestamp: undefined, data: { a: 1, z: undefined, b: [1, { c: 2, d: 3 }] } }),
    ],
  ])('%s does not change the key', (_name, intent) => {
    expect(contentKey(intent)).toBe(key)
  })

  test.each<[string, Intent]>([
    [
      'the operation',
      { ...track({ data: { a: 1, b: [1, { c: 2, d: 3 }] } }), operation: 'trackScreen' } as Intent,
    ],
    ['the person', track({ customerId: '43', data: { a: 1, b: [1, { c: 2, d: 3 }] } })],
    [
      'the kind of identifier',
      { operation: 'track', identifiers: { email: '42' }, name: 'x', data: { a: 1, b: [1, { c: 2, d: 3 }] } },
    ],
    ['a timestamp', track({ timestamp: 5, data: { a: 1, b: [1, { c: 2, d: 3 }] } })],
    ['the order of a list', track({ data: { a: 1, b: [{ c: 2, d: 3 }, 1] } })],
    ['the type of a value', track({ data: { a: '1', b: [1, { c: 2, d: 3 }] } })],
    [
      'a __proto__ name',
      JSON.parse(
        '{"operation":"track","customerId":"42","name":"x","data":{"a":1,"b":[1,{"c":2,"d":3}],"__proto__":1}}',
      ),
    ],
  ])('%s changes the key', (_name, intent) => {
    expect(contentKey(intent)).not.toBe(key)
  })

  test('an id of a merge gives the same key as a number and as a string', () => {
    const merge = (id: string | number): Intent => ({
      operation: 'mergeCustomers',
      primary: { id },
      secondary: { email: 'a' },
    })
    expect(contentKey(merge(42))).toBe(contentKey(merge('42')))
    expect(contentKey(merge(42))).not.toBe(contentKey(merge(43)))
  })
})

describe('dedupKeyOf', () => {
  const intent = track({})

  test('the dedup key is absent, the given key, the content key, or the result of a function', () => {
    expect(dedupKeyOf(validateOptions(), intent)).toBeUndefined()
    expect(dedupKeyOf(validateOptions({ dedupKey: 'order:1' }), intent)).toBe('order:1')
    expect(dedupKeyOf(validateOptions({ dedup: 'content' }), intent)).toBe(contentKey(intent))
    const dedupKey = (given: Intent, index: number) => `${given.operation}:${index}`
    expect(dedupKeyOf(validateOptions({ dedupKey }, 'many'), intent, 7)).toBe('track:7')
  })

  test('a dedup key that a function returns is checked', () => {
    const options = validateOptions({ dedupKey: () => '' }, 'many')
    expect(() => dedupKeyOf(options, intent, 7)).toThrow(
      expect.objectContaining({
        option: 'dedupKey',
        message: 'Expected dedupKey of [7] to be 1 to 500 bytes (UTF-8), got 0 bytes',
      }),
    )
  })
})

describe('contentKey of a message', () => {
  const push = (fields: object) =>
    ({
      operation: 'sendPush',
      message: { identifiers: { id: 42 }, transactional_message_id: 3, message: 'Hi', ...fields },
    }) as Intent
  const alias = (userId: unknown, previousId: unknown) =>
    ({ operation: 'pipelines.alias', message: { userId, previousId } }) as Intent

  test('42 and "42" are the same person', () => {
    expect(contentKey(push({}))).toBe(contentKey(push({ identifiers: { id: '42' } })))
    expect(contentKey(alias(1, 2))).toBe(contentKey(alias('1', '2')))
  })

  test('a different person, template or text gives a different key', () => {
    const keys = [
      push({}),
      push({ identifiers: { id: 43 } }),
      push({ transactional_message_id: 4 }),
      push({ message: 'Ho' }),
      alias(1, 2),
      alias(2, 1),
    ].map(contentKey)
    expect(new Set(keys).size).toBe(keys.length)
  })
})
