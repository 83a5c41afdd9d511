import { describe, expect, test } from 'vitest'
import type { InvalidIntentError } from '../../src/intent/errors.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

function refusal(value: unknown, index?: number): InvalidIntentError {
  try {
    validateIntent(value, index)
  } catch (error) {
    return error as InvalidIntentError
  }
  throw new Error('it was accepted')
}

const track = (fields: object) => ({ operation: 'track', customerId: '42', name: 'order_placed', ...fields })
const entity = (fields: object) => ({
  operation: 'entity',
  entity: { type: 'person', action: 'event', identifiers: { id: '42' }, name: 'x', ...fields },
})

describe('accepted, and returned unchanged', () => {
  test.each([
    { operation: 'identify', customerId: 0 },
    { operation: 'identify', customerId: '42', attributes: { plan: null, tags: ['a'], nested: { a: [1] } } },
    { operation: 'identify', customerId: '42', attributes: undefined, timestamp: undefined },
    track({ data: { left: undefined, kept: '' }, timestamp: 1_700_000_000 }),
    { operation: 'track', identifiers: { email: 'jane@example.com' }, name: 'x' },
    { operation: 'track', customerId: undefined, identifiers: { id: 42, email: undefined }, name: 'x' },
    { operation: 'trackPageView', identifiers: { phone: '+4512345678' }, path: '/pricing' },
    { operation: 'trackScreen', identifiers: { cio_id: 'a3000001' }, name: 'Dashboard' },
    {
      operation: 'addDevice',
      customerId: 42,
      deviceId: 't',
      platform: 'ios',
      data: { last_used: 1_700_000_000 },
    },
    { operation: 'deleteDevice', customerId: 42, deviceId: 't' },
    { operation: 'suppress', customerId: 42 },
    { operation: 'unsuppress', customerId: 42 },
    { operation: 'destroy', customerId: 42 },
    { operation: 'mergeCustomers', primary: { id: 42 }, secondary: { id: '43' } },
    entity({}),
    entity({ identifiers: { anonymous_id: 'cookie' } }),
  ])('$operation', (intent) => {
    expect(validateIntent(intent)).toBe(intent)
  })

  test('accepts an intent object without a prototype', () => {
    const intent = Object.assign(Object.create(null), { operation: 'suppress', customerId: 42 })
    expect(validateIntent(intent)).toBe(intent)
  })
})

describe('refused: operation', () => {
  const all = `pass one of ${OPERATIONS.join(', ')}`
  test.each([
    [null, 'intent must be a plain object, got null'],
    [[], 'intent must be a plain object, got array'],
    ['track', 'intent must be a plain object, got string'],
    [new Map(), 'intent must be a plain object, got Map'],
    [{}, 'intent: operation must be a string, got undefined'],
    [{ operation: 7 }, 'intent: operation must be a string, got number'],
    [{ operation: 'trakc' }, `intent: operation is unknown: did you mean track? ${all}`],
    [{ operation: 'Identify' }, `intent: operation is unknown: did you mean identify? ${all}`],
    [{ operation: 'subscribe' }, `intent: operation is unknown: ${all}`],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toBe(message)
  })
})

describe('refused: fields', () => {
  test.each([
    [track({ nam: 'x' }), 'track: nam is not a known field: did you mean name?'],
    [
      track({ properties: {} }),
      'track: properties is not a known field: pass one of operation, customerId, identifiers, name, data, timestamp',
    ],
    [
      track({ 'first name': 1 }),
      'track: ["first name"] is not a known field: pass one of operation, customerId, identifiers, name, data, timestamp',
    ],
    [track({ name: undefined }), 'track: name is required, and must be a string'],
    [track({ name: 7 }), 'track: name must be a string, got number'],
    [track({ name: '' }), 'track: name is empty'],
    [track({ name: ' \t\n' }), 'track: name is only spaces'],
    [track({ data: [] }), 'track: data must be a plain object, got array'],
    [track({ data: new Date() }), 'track: data must be a plain object, got Date'],
    [{ operation: 'trackPageView', customerId: '42', path: ' ' }, 'trackPageView: path is only spaces'],
    [
      { operation: 'addDevice', customerId: '42', deviceId: 't' },
      'addDevice: platform is required, and must be one of ios, android',
    ],
    [
      { operation: 'addDevice', customerId: '42', deviceId: 't', platform: 'web' },
      'addDevice: platform must be one of ios, android, got string',
    ],
    [
      { operation: 'addDevice', customerId: '42', deviceId: '', platform: 'ios' },
      'addDevice: deviceId is empty',
    ],
    [
      { operation: 'deleteDevice', customerId: '42', deviceId: '  ' },
      'deleteDevice: deviceId is only spaces',
    ],
  ])('%j', (value, message) => {
    expect(refusal(value).message).toBe(message)
  })
})

describe('refused: the person', () => {
  const kinds = 'id, email, phone, cio_id'
  test.each<[object, string]>([
    [{}, `customerId is required, or identifiers with one of ${kinds}`],
    [
      { customerId: '1', identifiers: { id: '1' } },
      'identifiers and customerId are both given: pass one of them',
    ],
    [{ customerId: null }, 'customerId must be a string or a whole number, got null'],
    [{ customerId: 7n }, 'customerId must be a string or a whole number, got bigint'],
    [{ customerId: '' }, 'customerId is empty'],
    [{ customerId: '  ' }, 'customerId is only spaces'],
    [{ customerId: Number.NaN }, 'customerId must be a string or a whole number, got NaN'],
    [{ customerId: 1.5 }, 'customerId must be a string or a whole number, got a fraction'],
    [{ customerId: 2 ** 53 }, 'customerId is a number beyond 2^53, which loses digits: pass a string'],
    [{ identifiers: 'jane' }, `identifiers must be an object with one of ${kinds}, got string`],
    [{ identifiers: {} }, `identifiers must have exactly one of ${kinds}: none is given`],
    [{ identifiers: { id: undefined } }, `identifiers must have exactly one of ${kinds}: none is given`],
    [
      { identifiers: { id: '1', email: 'a@b' } },
      `identifiers must have exactly one of ${kinds}: id, email are given`,
    ],
    [
      { identifiers: { emial: 'a@b' } },
      'identifiers.emial is not an identifier that can be used here: did you mean email?',
    ],
    [
      { identifiers: { anonymous_id: 'x' } },
      `identifiers.anonymous_id is not an identifier that can be used here: pass one of ${kinds}`,
    ],
    [{ identifiers: { email: '' } }, 'identifiers.email is empty'],
    [{ identifiers: { phone: 4512345678 } }, 'identifiers.phone must be a string, got number'],
    [{ identifiers: { id: null } }, 'identifiers.id must be a string or a whole number, got null'],
  ])('%o', (person, problem) => {
    const { message } = refusal({ operation: 'destroy', ...person })
    expect(message).toBe(`destroy: ${problem}`)
  })

  test.each<[object, string]>([
    [{ secondary: { id: '2' } }, 'primary is required, and must be a plain object'],
    [
      { primary: { phone: '+45' }, secondary: { id: '2' } },
      'primary.phone is not an identifier that can be used here: pass one of id, email, cio_id',
    ],
    [
      { primary: { id: '1' }, secondary: {} },
      'secondary must have exactly one of id, email, cio_id: none is given',
    ],
    [
      { primary: { id: '1' }, secondary: { id: 1 } },
      'secondary is the same person as primary: a merge takes two people',
    ],
  ])('mergeCustomers %o', (people, problem) => {
    expect(refusal({ operation: 'mergeCustomers', ...people }).message).toBe(`mergeCustomers: ${problem}`)
  })
})

describe('refused: times', () => {
  const must = 'must be whole Unix seconds'
  test.each([
    [Date.UTC(2026, 0, 1), `${must}, not milliseconds: pass Math.floor(milliseconds / 1000)`],
    [10_000_000_000, `${must}, not milliseconds: pass Math.floor(milliseconds / 1000)`],
    [new Date(), `${must}, got Date: pass Math.floor(date.getTime() / 1000)`],
    [1_700_000_000.5, `${must}, got a fraction: pass Math.floor(seconds)`],
    [-1, `${must}, got a time before 1970`],
    [Number.NaN, `${must}, got NaN`],
    [Number.POSITIVE_INFINITY, `${must}, got Infinity`],
    ['2026-01-01', `${must}, got string`],
    [null, `${must}, got null`],
  ])('%s', (time, problem) => {
    expect(refusal(track({ timestamp: time })).message).toBe(`track: timestamp ${problem}`)
    expect(refusal({ operation: 'identify', customerId: '42', timestamp: time }).message).toBe(
      `identify: timestamp ${problem}`,
    )
    expect(
      refusal({
        operation: 'addDevice',
        customerId: '42',
        deviceId: 't',
        platform: 'ios',
        data: { last_used: time },
      }).message,
    ).toBe(`addDevice: data.last_used ${problem}`)
  })

  test.each([0, 1_700_000_000, 9_999_999_999])('%d is accepted', (timestamp) => {
    expect(validateIntent(track({ timestamp }))).toMatchObject({ timestamp })
  })
})

describe('refused: entities', () => {
  test.each<[object, string]>([
    [{ type: 'persn' }, 'entity.type must be one of person, object, delivery'],
    [{ type: undefined }, 'entity.type must be one of person, object, delivery'],
    [{ action: 7 }, 'entity.action must be a string, got number'],
    [{ action: '' }, 'entity.action is empty'],
    [
      { identifiers: undefined },
      'entity.identifiers must be an object with one of id, email, phone, cio_id, anonymous_id, got undefined',
    ],
    [{ identifiers: { id: 42 } }, 'entity.identifiers.id must be a string, got number'],
    [{ name: undefined }, 'entity.name must be a string, got undefined'],
    [{ name: ' ' }, 'entity.name is only spaces'],
    [
      { id: 'order-1' },
      'entity.id must be a ULID, unique to the event: leave it out, and the outbox makes one',
    ],
    [
      { timestamp: 1_700_000_000_000 },
      'entity.timestamp must be whole Unix seconds, not milliseconds: pass Math.floor(milliseconds / 1000)',
    ],
    [{ attributes: [] }, 'entity.attributes must be an object, got array'],
    [
      { action: 'merge', primary: { id: 42 }, secondary: { id: '43' } },
      'entity.primary.id must be a string, got number',
    ],
    [
      { type: 'object', action: 'identify', identifiers: { object_id: 'acme' } },
      'entity.identifiers.object_type_id must be a string, got undefined',
    ],
    [
      { type: 'object', action: 'identify', identifiers: { cio_object_id: '' } },
      'entity.identifiers.cio_object_id is empty',
    ],
    [{ type: 'object', identifiers: null }, 'entity.identifiers must be an object, got null'],
    [
      { action: 'add_relationships', cio_relationships: {} },
      'entity.cio_relationships must be an array of relationships, got object',
    ],
    [
      { action: 'add_relationships', cio_relationships: [{}] },
      'entity.cio_relationships[0] must be an object with identifiers',
    ],
  ])('%o', (fields, problem) => {
    expect(refusal(entity(fields)).message).toBe(`entity: ${problem}`)
  })

  test("identify's relationships can be added, not deleted", () => {
    const attributes = { cio_relationships: { action: 'delete_relationships', relationships: [] } }
    expect(refusal({ operation: 'identify', customerId: '42', attributes }).message).toBe(
      "identify: attributes.cio_relationships.action must be add_relationships here: to delete some, enqueue an entity with action: 'delete_relationships'",
    )
  })
})

describe('the error', () => {
  test('has name, code, operation, field, limit and actual', () => {
    const error = refusal(track({ name: 'n'.repeat(120) }))
    expect(error).toBeInstanceOf(Error)
    expect({ ...error, message: error.message }).toEqual({
      name: 'InvalidIntentError',
      code: 'INVALID_INTENT',
      operation: 'track',
      field: 'name',
      limit: 100,
      actual: 120,
      message: 'track: name is 120 bytes, Customer.io takes at most 100 bytes (UTF-8)',
    })
  })

  test('names the index in an array of intents', () => {
    expect(refusal(track({ name: 'n'.repeat(120) }), 12)).toMatchObject({
      field: '[12].name',
      message: 'track: [12].name is 120 bytes, Customer.io takes at most 100 bytes (UTF-8)',
    })
    expect(refusal(7, 12)).toMatchObject({
      field: '[12]',
      message: 'intent: [12] must be a plain object, got number',
    })
    expect(refusal({ operation: 'x' }, 0).field).toBe('[0].operation')
    expect(refusal(track({ 'a b': 1 }), 3).field).toBe('[3]["a b"]')
  })

  test.each([
    track({ name: 'jane@example.com'.repeat(10) }),
    track({ timestamp: 'jane@example.com' }),
    track({ data: 'jane@example.com' }),
    track({ data: { email: 'jane@example.com\u0000' } }),
    { operation: 'jane@example.com' },
    { operation: 'destroy', customerId: 'jane@example.com'.repeat(10) },
    { operation: 'identify', customerId: '42', attributes: { email: 'jane@example.com'.repeat(100) } },
    entity({ type: 'jane@example.com' }),
    entity({ id: 'jane@example.com' }),
  ])('never prints a value: %#', (value) => {
    expect(refusal(value).message).not.toContain('jane')
  })
})
