import { expect, test } from 'vitest'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import {
  describeFindings,
  type Evidence,
  judge,
  type Received,
  uuidOf,
  type Written,
} from './support/shop/oracle.ts'

const uuid = (n: number) => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`

/** Three events of ada and an identify of bob, all committed and delivered in order. */
const written: Written[] = [
  { ref: 'a1', person: 'ada', position: 1, id: uuid(1), isEvent: true },
  { ref: 'a2', person: 'ada', position: 2, id: uuid(2), isEvent: true },
  { ref: 'b1', person: 'bob', position: 1, id: uuid(3), isEvent: false },
  { ref: 'a3', person: 'ada', position: 3, id: uuid(4), isEvent: true },
]
const received = (ref: string, n?: number): Received => ({
  ulid: n === undefined ? undefined : toUlid(uuid(n)),
  body: { attributes: { ref } },
})
const [a1, a2, b1, a3] = [received('a1', 1), received('a2', 2), received('b1'), received('a3', 4)]
const asPromised: Evidence = {
  written,
  acknowledged: new Set(['a1', 'a2', 'a3']),
  rolledBack: new Set(['r1']),
  pending: [],
  deadLettered: [],
  applied: [a1, a2, b1, a3],
  duplicates: [],
}
const found = (change: Partial<Evidence>) => judge({ ...asPromised, ...change }).findings

test('a run without violations has no findings, and its intents are counted', () => {
  const duplicates = [{ ...a2, sameBody: true }]
  expect(judge({ ...asPromised, duplicates })).toEqual({
    committed: 4,
    delivered: 4,
    deadLettered: 0,
    pending: 0,
    lostCommits: 0,
    deliveredOfLost: 0,
    resent: 1,
    findings: [],
  })
})

test('pending intents, a dead letter before later intents, and a repeated identify are allowed', () => {
  expect(found({ applied: [a1, b1], pending: ['a2', 'a3'] })).toEqual([])
  expect(found({ applied: [a1, b1, a3], deadLettered: ['a2'] })).toEqual([])
  expect(found({ applied: [a1, a2, b1, a3, b1] })).toEqual([])
})

test.each<[string, Partial<Evidence>, { violation: string; refs: string[] }]>([
  [
    'a committed intent that was neither delivered nor kept',
    { applied: [a1, b1, a3] },
    { violation: 'lost', refs: ['a2'] },
  ],
  [
    'a rolled-back intent that was sent',
    { applied: [a1, a2, b1, a3, received('r1', 9)] },
    { violation: 'sent though rolled back', refs: ['r1'] },
  ],
  [
    'a rolled-back intent that is pending',
    { pending: ['r1'] },
    { violation: 'sent though rolled back', refs: ['r1'] },
  ],
  [
    'an operation that no transaction enqueued',
    { applied: [a1, a2, b1, a3, received('x1', 9)] },
    { violation: 'of no transaction', refs: ['x1'] },
  ],
  [
    'a dead letter that no transaction enqueued',
    { deadLettered: ['x1'] },
    { violation: 'of no transaction', refs: ['x1'] },
  ],
  [
    'the third event before the second',
    { applied: [a1, a3, b1, a2] },
    { violation: 'out of order', refs: ['a2'] },
  ],
  [
    'an event that was applied twice',
    { applied: [a1, a2, b1, a3, a1] },
    { violation: 'applied twice', refs: ['a1'] },
  ],
  [
    'an event with another event’s id',
    { applied: [a1, received('a2', 7), b1, a3] },
    { violation: 'under another id', refs: ['a2'] },
  ],
  [
    'an event without an id',
    { applied: [a1, received('a2'), b1, a3] },
    { violation: 'under another id', refs: ['a2'] },
  ],
  [
    'an event that was resent with another body',
    { duplicates: [{ ...a2, sameBody: false }] },
    { violation: 'sent again changed', refs: ['a2'] },
  ],
  [
    'a confirmed COMMIT without its row',
    { acknowledged: new Set(['a1', 'gone']) },
    { violation: 'not durable', refs: ['gone'] },
  ],
  [
    'a rolled-back transaction with its row',
    { rolledBack: new Set(['a3']) },
    { violation: 'not rolled back', refs: ['a3'] },
  ],
])('finds %s', (_, change, finding) => {
  expect(found(change)).toEqual([{ ...finding, count: 1 }])
})

/** A failover lost three events of ada, from her second on. Later their writer wrote a2 and a3 at the same positions. */
const lost = (ref: string, position: number, n: number): [string, Written] => [
  ref,
  { ref, person: 'ada', position, id: uuid(n), isEvent: true },
]
const lostCommits = new Map([lost('l2', 2, 12), lost('l3', 3, 13), lost('l4', 4, 14)])
const afterFailover: Partial<Evidence> = {
  acknowledged: new Set(['a1', 'a2', 'a3', 'l2', 'l3', 'l4']),
  lostCommits,
}
const [l2, l3] = [received('l2', 12), received('l3', 13)]

test('commits that the database lost may be delivered, are exempt from the order, and are counted', () => {
  const late = [{ ...l2, sameBody: true }]
  for (const applied of [
    [a1, l2, l3, a2, b1, a3],
    [a1, a2, a3, l3, b1, l2],
  ]) {
    expect(judge({ ...asPromised, ...afterFailover, applied, duplicates: late })).toEqual({
      committed: 4,
      delivered: 4,
      deadLettered: 0,
      pending: 0,
      lostCommits: 3,
      deliveredOfLost: 2,
      resent: 1,
      findings: [],
    })
  }
})

test.each<[string, Partial<Evidence>, { violation: string; refs: string[] }]>([
  [
    'a confirmed COMMIT without its row that the failover did not lose',
    { acknowledged: new Set(['a1', 'l2', 'gone']) },
    { violation: 'not durable', refs: ['gone'] },
  ],
  [
    'a surviving intent that was settled instead of a lost one',
    { applied: [a1, l2, b1, a3] },
    { violation: 'lost', refs: ['a2'] },
  ],
  [
    'a rolled-back intent that was sent after a failover',
    { applied: [a1, l2, a2, b1, a3, received('r1', 9)] },
    { violation: 'sent though rolled back', refs: ['r1'] },
  ],
  [
    'surviving intents out of order around a lost one',
    { applied: [a1, a3, l3, b1, a2] },
    { violation: 'out of order', refs: ['a2'] },
  ],
  [
    'a lost intent that was applied twice',
    { applied: [a1, l2, l2, a2, b1, a3] },
    { violation: 'applied twice', refs: ['l2'] },
  ],
  [
    'a lost intent with another intent’s id',
    { applied: [a1, received('l2', 2), a2, b1, a3] },
    { violation: 'under another id', refs: ['l2'] },
  ],
  [
    'a lost intent that was resent with another body',
    { duplicates: [{ ...l2, sameBody: false }] },
    { violation: 'sent again changed', refs: ['l2'] },
  ],
  [
    'a dead letter of a lost intent',
    { deadLettered: ['l2'] },
    { violation: 'kept though its commit was lost', refs: ['l2'] },
  ],
  [
    'a lost intent that is pending',
    { pending: ['l2'] },
    { violation: 'kept though its commit was lost', refs: ['l2'] },
  ],
  [
    'a lost intent whose row exists',
    { lostCommits: new Map([...lostCommits, lost('a2', 2, 2)]) },
    { violation: 'not lost', refs: ['a2'] },
  ],
])('after a failover, finds %s', (_, change, finding) => {
  expect(found({ ...afterFailover, ...change })).toEqual([{ ...finding, count: 1 }])
})

test('finds a dead letter that Customer.io did not refuse', () => {
  const two = { applied: [a1, b1], deadLettered: ['a2', 'a3'] }
  expect(found({ ...two, refused: new Set(['a2', 'a3', 'other']) })).toEqual([])
  expect(found({ ...two, refused: new Set(['a2']) })).toEqual([
    { violation: 'dead-lettered without a refusal', refs: ['a3'], count: 1 },
  ])
})

test('a finding names the first five intents and counts all', () => {
  const many = Array.from(
    { length: 8 },
    (_, n) => ({ ...written[0], ref: `m${n}`, person: `p${n}` }) as Written,
  )
  const verdict = judge({ ...asPromised, written: [...written, ...many] })
  expect(verdict.findings).toEqual([{ violation: 'lost', count: 8, refs: ['m0', 'm1', 'm2', 'm3', 'm4'] }])
  expect(describeFindings(verdict)).toEqual(['8 lost: m0, m1, m2, m3, m4, …'])
})

test('uuidOf converts a ULID back to its UUID', () => {
  expect(uuidOf(toUlid(uuid(7)))).toBe(uuid(7))
  expect(uuidOf('01H45EKX41ED1CYVGC6ZV0DTVP')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
})

test('judges a quarter of a million intents', () => {
  const rows = Array.from(
    { length: 250_000 },
    (_, n): Written => ({
      ref: `m${n}`,
      person: `p${n % 500}`,
      position: Math.floor(n / 500),
      id: uuid(n),
      isEvent: true,
    }),
  )
  const applied = rows.map(({ ref }, n) => received(ref, n))
  const verdict = judge({ ...asPromised, acknowledged: new Set(), written: rows, applied })
  expect(verdict).toMatchObject({ delivered: 250_000, findings: [] })
})
