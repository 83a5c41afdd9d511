import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { apiOf } from '../../src/intent/operations.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { WIRE_BYTES_SLACK, wireBytes } from '../../src/intent/size.ts'
import { accepted, candidate, data } from '../support/intent-arbitraries.ts'
import { createTransport } from '../support/wire/transports.ts'

/** Returns a value as it comes back from JSON: without keys whose value is undefined, and with 0 instead of -0. */
function plain(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, child]) => child !== undefined)
  return Object.fromEntries(kept.map(([key, child]) => [key, plain(child)]))
}

const transports = {
  track: createTransport('track', 'http://127.0.0.1:9', { anonymousOnV2: true }),
  app: createTransport('app', 'http://127.0.0.1:9'),
  broadcast: createTransport('broadcast', 'http://127.0.0.1:9'),
  pipelines: createTransport('pipelines', 'http://127.0.0.1:9'),
}

describe('any accepted intent', () => {
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

  test('comes back from JSON equal, for any kind of input', () => {
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

  test('is sent in at most the estimated bytes, and at most WIRE_BYTES_SLACK fewer', () => {
    let count = 0
    fc.assert(
      fc.property(candidate, fc.uuid({ version: 7 }), (value, uuid) => {
        const intent = accepted(value)
        if (intent === undefined) return
        count++
        const { bytes: real } = transports[apiOf(intent.operation)].prepare({
          id: uuid,
          operation: intent.operation,
          payload: JSON.parse(JSON.stringify(toPayload(intent))),
          occurredAtSeconds: 1_700_000_000,
        })
        expect(wireBytes(intent)).toBeGreaterThanOrEqual(real)
        expect(wireBytes(intent) - real).toBeLessThanOrEqual(WIRE_BYTES_SLACK)
      }),
      { numRuns: 1_000 },
    )
    expect(count).toBeGreaterThan(500)
  })
})
