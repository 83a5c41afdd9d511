import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrackV2Operation } from '../../src/customerio/operation.ts'
import { type CutLimits, cutBatch } from '../../src/relay/batch.ts'
import type { QueuedIntent } from '../../src/store/read-lane.ts'

const LIMITS: CutLimits = { count: 1_000, bytes: 480_000, operationBytes: 32_000 }

function row(seq: number, operation = 'track', payload: object = {}): QueuedIntent {
  return { seq: String(seq), id: '', operation, payload, size: 100, occurredAtSeconds: 1, expired: false }
}

const asIs = ({ payload }: QueuedIntent) =>
  ({ type: 'person', action: 'event', ...(payload as object) }) as TrackV2Operation

/** Text whose UTF-8 takes 1 to 4 bytes a character. */
const text = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength })

test('every request stays within its bytes and its count, whatever the text, and no row is lost or overtaken', () => {
  const rows = fc.array(
    fc.record({
      pad: text(400),
      barrier: fc.integer({ min: 0, max: 20 }),
      expired: fc.integer({ min: 0, max: 20 }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  const limits = fc.record({
    count: fc.integer({ min: 1, max: 20 }),
    bytes: fc.integer({ min: 2_100, max: 6_000 }),
    operationBytes: fc.integer({ min: 300, max: 2_000 }),
  })
  fc.assert(
    fc.property(rows, limits, (given, bounds) => {
      let left = given.map(({ pad, barrier, expired }, i) => ({
        ...row(i, barrier === 0 ? 'suppress' : 'track', { pad }),
        expired: expired === 0,
      }))
      const seen: string[] = []
      while (left.length > 0) {
        const { batch, dead, used } = cutBatch(left, bounds, asIs)
        expect(used).toBeGreaterThan(0)
        const body = JSON.stringify({ batch: batch.map(({ operation }) => operation) })
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(bounds.bytes)
        expect(batch.length).toBeLessThanOrEqual(bounds.count)
        const taken = left.slice(0, used).map(({ seq }) => seq)
        expect([...batch, ...dead].map(({ seq }) => seq).sort()).toEqual([...taken].sort())
        expect(batch.map(({ seq }) => Number(seq))).toEqual(
          batch.map(({ seq }) => Number(seq)).sort((a, b) => a - b),
        )
        const barriers = left.slice(0, used).filter(({ operation }) => operation === 'suppress')
        const sentBarriers = barriers.filter(({ seq }) => batch.some((entry) => entry.seq === seq))
        if (sentBarriers.length > 0) expect(batch).toHaveLength(1)
        seen.push(...taken)
        left = left.slice(used)
      }
      expect(seen).toEqual(given.map((_, i) => String(i)))
    }),
  )
})

test('a batch is as full as it may be: one operation more would be too many bytes', () => {
  const rows = Array.from({ length: 100 }, (_, i) => row(i, 'track', { pad: 'x'.repeat(10_000) }))
  const { batch } = cutBatch(rows, LIMITS, asIs)
  const size = (n: number) =>
    Buffer.byteLength(JSON.stringify({ batch: rows.slice(0, n).map((r) => asIs(r)) }))
  expect(size(batch.length)).toBeLessThanOrEqual(LIMITS.bytes)
  expect(size(batch.length + 1)).toBeGreaterThan(LIMITS.bytes)
})

test('what can never be sent is set aside with its reason, and stops nothing', () => {
  const rows = [
    row(1),
    { ...row(2), expired: true },
    row(3, 'track', { pad: 'x'.repeat(32_001) }),
    row(4, 'broken'),
    row(5),
  ]
  const { batch, dead, used } = cutBatch(rows, LIMITS, (r) => {
    if (r.operation === 'broken') throw new Error('names no person')
    return asIs(r)
  })
  expect(batch.map(({ seq }) => seq)).toEqual(['1', '5'])
  expect(dead).toMatchObject([
    { seq: '2', reason: 'expired' },
    { seq: '3', reason: 'too_large' },
    { seq: '4', reason: 'invalid', message: 'names no person' },
  ])
  expect(used).toBe(5)
})

test.each([
  ['mergeCustomers', {}],
  ['destroy', {}],
  ['suppress', {}],
  ['unsuppress', {}],
  ['entity', { action: 'merge' }],
  ['entity', { action: 'delete' }],
])('%s %o is a barrier: alone, after all before, before all after', (operation, payload) => {
  const rows = [row(1), row(2), row(3, operation, payload), row(4)]
  const cuts: string[][] = []
  for (let left = rows; left.length > 0; ) {
    const { batch, used } = cutBatch(left, LIMITS, asIs)
    cuts.push(batch.map(({ seq }) => seq))
    left = left.slice(used)
  }
  expect(cuts).toEqual([['1', '2'], ['3'], ['4']])
})
