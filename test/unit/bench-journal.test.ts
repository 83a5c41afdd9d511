import { describe, expect, test } from 'vitest'
import { Journal } from '../../bench/api/journal.ts'
import { readRefs } from '../../bench/api/read-refs.ts'
import { judgeArrivals } from '../../bench/oracle/judge-arrivals.ts'
import { PAYLOAD_BYTES, PEOPLE, payloadOf } from '../../bench/workload/payload.ts'
import { toUlid } from '../../src/customerio/transports/ulid.ts'

const idOf = (ref: number) => `01900000-0000-7000-8000-${ref.toString(16).padStart(12, '0')}`
const committed = (...refs: number[]) => new Map(refs.map((ref) => [ref, idOf(ref)]))

/** A journal in which these refs arrived, each under its own id or another one. */
function arrived(...arrivals: (number | { readonly ref: number; readonly under: number })[]) {
  const journal = new Journal(4 * PEOPLE)
  journal.request(1)
  for (const [at, arrival] of arrivals.entries()) {
    const { ref, under } = typeof arrival === 'number' ? { ref: arrival, under: arrival } : arrival
    journal.operation(ref, toUlid(idOf(under)), 1 + at)
  }
  return journal
}

test.each([0, 7, 4_999, 5_000, 199_999, 4_999_999])('the payload of event %i is 300 bytes of JSON', (ref) => {
  expect(JSON.stringify(payloadOf(ref))).toHaveLength(PAYLOAD_BYTES)
})

describe('reading the refs of a request', () => {
  test('a batch yields every ref with the event id in front of it', () => {
    const batch = [3, 12].map((ref) => ({
      type: 'person',
      identifiers: { id: `u${ref}` },
      action: 'event',
      name: 'order_placed',
      id: toUlid(idOf(ref)),
      attributes: payloadOf(ref).data,
    }))
    const found: unknown[] = []
    readRefs(JSON.stringify({ batch }), (...one) => found.push(one))
    expect(found).toEqual([
      [3, toUlid(idOf(3))],
      [12, toUlid(idOf(12))],
    ])
  })

  test('a single call and an operation of a batch yield an empty id if they have no event id', () => {
    const found: unknown[] = []
    readRefs(JSON.stringify({ name: 'order_placed', data: payloadOf(8).data }), (...one) => found.push(one))
    const operation = { identifiers: { id: 'u9' }, attributes: payloadOf(9).data }
    readRefs(JSON.stringify({ batch: [operation] }), (...one) => found.push(one))
    expect(found).toEqual([
      [8, ''],
      [9, ''],
    ])
  })
})

describe('the oracle, applied to a run', () => {
  test('reports nothing if every event arrived once and in order', () => {
    const journal = arrived(1, 0, 1 + PEOPLE, PEOPLE)
    expect(judgeArrivals(journal.log(), committed(0, 1, PEOPLE, 1 + PEOPLE))).toEqual([])
    expect(journal.report()).toMatchObject({ seen: 4, operations: 4, outOfOrder: 0, unknown: 0 })
  })

  test('accepts a repeated event with the same id', () => {
    expect(judgeArrivals(arrived(1, 1).log(), committed(1))).toEqual([])
  })

  test('reports events that were lost, applied twice, out of order, under another id, or never enqueued', () => {
    const journal = arrived(PEOPLE, 0, 1, { ref: 1, under: 2 }, { ref: 3, under: 4 }, 9)
    expect(judgeArrivals(journal.log(), committed(0, 1, 3, 6, PEOPLE))).toEqual([
      '1 out of order: 0',
      '2 under another id: 3, 1',
      '1 of no transaction: 9',
      '1 applied twice: 1',
      '1 lost: 6',
    ])
    expect(journal.report()).toMatchObject({ seen: 5, operations: 6, outOfOrder: 1 })
  })
})
