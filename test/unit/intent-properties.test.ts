import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toTrackOperation } from '../../src/customerio/operation.ts'
import type { Intent } from '../../src/intent/intent.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { WIRE_BYTES_SLACK, wireBytes } from '../../src/intent/size.ts'
import { validateIntent } from '../../src/intent/validate.ts'

const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 25 })
  .filter((s) => !s.includes('\u0000') && s.trim() !== '')
const id = fc.oneof(text, fc.maxSafeInteger())
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
const data = fc.dictionary(text, fc.oneof(json, fc.constant(undefined)), { maxKeys: 8 })
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

/** Mostly valid intents; what a limit refuses among them is passed over. */
const candidate = fc.oneof(
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

function accepted(value: unknown): Intent | undefined {
  try {
    return validateIntent(value)
  } catch {
    return undefined
  }
}

/** As `JSON.stringify` has it: no keys without a value, no negative zero. */
function plain(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, child]) => child !== undefined)
  return Object.fromEntries(kept.map(([key, child]) => [key, plain(child)]))
}

describe('whatever is accepted', () => {
  test('comes back from JSON equal', () => {
    let count = 0
    fc.assert(
      fc.property(
        fc.oneof(
          candidate,
          data.map((d) => ({ operation: 'track', customerId: '1', name: 'x', data: { d } })),
        ),
        (value) => {
          const intent = accepted(value)
          if (intent === undefined) return
          count++
          expect(JSON.parse(JSON.stringify(intent))).toEqual(plain(intent))
        },
      ),
      { numRuns: 500 },
    )
    expect(count).toBeGreaterThan(250)
  })

  test('comes back from JSON equal, whatever it was made of', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
      withBoxedValues: true,
      stringUnit: 'binary',
    })
    fc.assert(
      fc.property(anything, (something) => {
        const intent = accepted({ operation: 'track', customerId: '1', name: 'x', data: { something } })
        if (intent !== undefined) expect(JSON.parse(JSON.stringify(intent))).toEqual(plain(intent))
      }),
      { numRuns: 1_000 },
    )
  })

  test('is sent in no more bytes than was estimated, and in few less', () => {
    let count = 0
    fc.assert(
      fc.property(candidate, fc.uuid({ version: 7 }), (value, uuid) => {
        const intent = accepted(value)
        if (intent === undefined) return
        count++
        const operation = toTrackOperation({
          id: uuid,
          operation: intent.operation,
          payload: JSON.parse(JSON.stringify(toPayload(intent))),
          occurredAtSeconds: 1_700_000_000,
        })
        const real = Buffer.byteLength(JSON.stringify(operation))
        expect(wireBytes(intent)).toBeGreaterThanOrEqual(real)
        expect(wireBytes(intent) - real).toBeLessThanOrEqual(WIRE_BYTES_SLACK)
      }),
      { numRuns: 1_000 },
    )
    expect(count).toBeGreaterThan(500)
  })
})
