import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type EnqueueOptions, type Intent } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const outbox = createOutbox()
let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(() => db.rows('TRUNCATE outbox.intents'))

type Place = { lane: number; ordering_key: string }

async function placesOf(intents: Intent[], options: Omit<EnqueueOptions, 'dedupKey'> = {}): Promise<Place[]> {
  await db.transaction((tx) => outbox.enqueue(tx, intents, options))
  return db.rows<Place>('SELECT lane, ordering_key FROM outbox.intents ORDER BY seq')
}

const PEOPLE: Intent[] = Array.from({ length: 1000 }, (_, i) => ({
  operation: 'identify',
  customerId: `u${i}`,
}))

describe('lanes', () => {
  test('0 to 15 carry normal intents, evenly distributed', async () => {
    const lanes = (await placesOf(PEOPLE)).map(({ lane }) => lane)
    const counts = Array.from({ length: 16 }, (_, lane) => lanes.filter((l) => l === lane).length)
    expect(counts.reduce((a, b) => a + b)).toBe(1000)
    expect(Math.min(...counts)).toBeGreaterThan(30)
  })

  test('16 to 31 carry bulk intents, each person 16 above the normal lane', async () => {
    const normal = await placesOf(PEOPLE)
    await db.rows('TRUNCATE outbox.intents')
    const bulk = await placesOf(PEOPLE, { priority: 'bulk' })
    expect(bulk.map(({ lane }) => lane)).toEqual(normal.map(({ lane }) => lane + 16))
  })

  test('-1 carries scheduled intents; an intent with a time in the past gets its lane at once', async () => {
    const later = await placesOf(PEOPLE.slice(0, 1), { sendAfter: new Date(Date.now() + 3_600_000) })
    expect(later.map(({ lane }) => lane)).toEqual([-1])
    const [, past] = await placesOf(PEOPLE.slice(0, 1), { sendAfter: new Date(0) })
    expect(past?.lane).toBeGreaterThanOrEqual(0)
  })

  test('a scheduled intent that falls due gets the usual lane of its person', async () => {
    const [waiting] = await placesOf(PEOPLE.slice(0, 1), { sendAfter: new Date(Date.now() + 3_600_000) })
    const [row] = await db.rows("SELECT outbox.lane_of('default/track', $1, 'normal') AS lane", [
      waiting?.ordering_key,
    ])
    const [, now] = await placesOf(PEOPLE.slice(0, 1))
    expect(row).toEqual({ lane: now?.lane })
  })

  test('one key has one lane in a workspace for all operations', async () => {
    const places = await placesOf([
      { operation: 'identify', customerId: 'ada' },
      { operation: 'track', identifiers: { id: 'ada' }, name: 'x' },
      { operation: 'destroy', customerId: 'ada' },
      { operation: 'mergeCustomers', primary: { id: 'ada' }, secondary: { id: 'bob' } },
      { operation: 'entity', entity: { type: 'person', action: 'delete', identifiers: { id: 'ada' } } },
    ])
    expect(new Set(places.map(({ lane, ordering_key }) => `${lane} ${ordering_key}`)).size).toBe(1)
  })

  test('a custom ordering key puts different people in one lane', async () => {
    const places = await placesOf(PEOPLE, { orderingKey: 'import 7' })
    expect(new Set(places.map(({ lane }) => lane)).size).toBe(1)
  })

  test('depend on the destination too: two workspaces distribute the same people differently', async () => {
    const here = await placesOf(PEOPLE)
    await db.rows('TRUNCATE outbox.intents')
    const there = await placesOf(PEOPLE, { workspace: 'other' })
    expect(here.map(({ lane }) => lane)).not.toEqual(there.map(({ lane }) => lane))
  })
})

type Entity = Extract<Intent, { operation: 'entity' }>['entity']
const entity = (fields: object): Intent => ({ operation: 'entity', entity: fields as Entity })
const KEYS: readonly (readonly [string, Intent, key: string])[] = [
  ['a number', { operation: 'identify', customerId: 42 }, '42'],
  ['the same number as text', { operation: 'identify', customerId: '42' }, '42'],
  ['the same number as identifiers', { operation: 'identify', identifiers: { id: 42 } }, '42'],
  ['zero', { operation: 'identify', customerId: 0 }, '0'],
  ['the greatest whole number', { operation: 'identify', customerId: 2 ** 53 - 1 }, '9007199254740991'],
  ['1e21 as text', { operation: 'identify', customerId: '1e21' }, '1e21'],
  ['an email', { operation: 'identify', identifiers: { email: 'é@example.com' } }, 'é@example.com'],
  ['a phone', { operation: 'identify', identifiers: { phone: '+1555' } }, '+1555'],
  ['a cio_id', { operation: 'identify', identifiers: { cio_id: 'a1b2' } }, 'a1b2'],
  ['a merge', { operation: 'mergeCustomers', primary: { email: 'a@b' }, secondary: { id: 'z' } }, 'a@b'],
  ['a person entity', entity({ type: 'person', action: 'identify', identifiers: { id: 'p' } }), 'p'],
  [
    'an anonymous person entity',
    entity({ type: 'person', action: 'event', name: 'n', identifiers: { anonymous_id: 'anon' } }),
    'anon',
  ],
  [
    'a merge entity',
    entity({ type: 'person', action: 'merge', primary: { cio_id: 'c' }, secondary: { id: 'z' } }),
    'c',
  ],
  [
    'an object entity',
    entity({ type: 'object', action: 'identify', identifiers: { object_type_id: '1', object_id: 'acme' } }),
    '1/acme',
  ],
  [
    'an object entity by its cio id',
    entity({ type: 'object', action: 'delete', identifiers: { cio_object_id: 'ob1' } }),
    'ob1',
  ],
  ['a delivery entity', entity({ type: 'delivery', action: 'opened', identifiers: { id: 'dlv' } }), 'dlv'],
]

test.each(KEYS)('the ordering key of %s', async (_name, intent, key) => {
  const [place] = await placesOf([intent])
  expect(place?.ordering_key).toBe(key)
})
