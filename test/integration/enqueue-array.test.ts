import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { recording } from '../support/recording-client.ts'

const outbox = createOutbox()
let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

test('5,000 intents take one round trip, and are stored and returned in the order of the array', async () => {
  const intents: Intent[] = Array.from({ length: 5000 }, (_, n) => ({
    operation: 'track',
    customerId: n % 97,
    name: 'step',
    data: { n },
  }))
  // Every tenth intent repeats the key of the intent before it.
  const keyOf = (_intent: Intent, index: number) => `key ${index % 10 === 9 ? index - 1 : index}`
  const { results, statements } = await db.transaction(async (client) => {
    await client.query('CREATE TEMPORARY TABLE business_write (id int) ON COMMIT DROP')
    const tx = recording(client)
    const results = await outbox.enqueue(tx, intents, { dedupKey: keyOf })
    return { results, statements: tx.statements }
  })
  expect(statements).toHaveLength(1)

  const rows = await db.rows<{ id: string; n: number }>(
    "SELECT id, (payload #>> '{attributes,n}')::int AS n FROM outbox.intents ORDER BY seq",
  )
  const kept = intents.map((_, n) => n).filter((n) => n % 10 !== 9)
  expect(rows.map(({ n }) => n)).toEqual(kept)
  const idOf = new Map(rows.map(({ n, id }) => [n, id]))
  const expected = intents.map((_, n) =>
    n % 10 === 9 ? { id: idOf.get(n - 1), duplicate: true } : { id: idOf.get(n), duplicate: false },
  )
  expect(results).toEqual(expected)
})

test('an intent is stored as it was when enqueue was called, also if the call had to wait for another', async () => {
  const data = { n: 1 }
  const intent: Intent = { operation: 'track', customerId: 'a', name: 'changed later', data }
  await db.transaction(async (tx) => {
    const calls = [outbox.enqueue(tx, { operation: 'destroy', customerId: 'a' }), outbox.enqueue(tx, intent)]
    data.n = 2
    await Promise.all(calls)
  })
  expect(
    await db.rows(
      "SELECT payload #>> '{attributes,n}' AS n FROM outbox.intents WHERE payload ->> 'name' = 'changed later'",
    ),
  ).toEqual([{ n: '1' }])
})

test('every intent of an array has an id of its own, and the ids of later arrays have no earlier time', async () => {
  const enqueue = () =>
    db.transaction((tx) =>
      outbox.enqueue(tx, [
        { operation: 'suppress', customerId: 'a' },
        { operation: 'suppress', customerId: 'a' },
      ]),
    )
  const [first, second] = [await enqueue(), await enqueue()]
  const ids = [...first, ...second].map(({ id }) => id ?? '')
  expect(new Set(ids).size).toBe(4)
  const milliseconds = ids.map((id) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
  expect(milliseconds).toEqual(milliseconds.toSorted((a, b) => a - b))
})

test('an intent takes one round trip after a write, three before any, and two more with onError ignore', async () => {
  await db.transaction(async (client) => {
    const first = recording(client)
    await outbox.enqueue(first, { operation: 'destroy', customerId: 'a' })
    expect(first.statements).toHaveLength(3)
    const plain = recording(client)
    await outbox.enqueue(plain, { operation: 'destroy', customerId: 'a' })
    expect(plain.statements).toHaveLength(1)
    const guarded = recording(client)
    await outbox.enqueue(guarded, { operation: 'destroy', customerId: 'a' }, { onError: 'ignore' })
    expect(guarded.statements).toHaveLength(3)
  })
})
