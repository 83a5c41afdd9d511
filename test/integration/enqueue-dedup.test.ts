import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type EnqueueOptions, type Intent } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const outbox = createOutbox()
const intent: Intent = { operation: 'track', customerId: 'u1', name: 'order_placed', data: { total: 42 } }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(() => db.rows('TRUNCATE outbox.intents, outbox.dedup'))

const enqueue = (options: EnqueueOptions, given: Intent = intent) =>
  db.transaction((tx) => outbox.enqueue(tx, given, options))

async function storedIds(): Promise<string[]> {
  return (await db.rows<{ id: string }>('SELECT id FROM outbox.intents ORDER BY seq')).map(({ id }) => id)
}

async function pidOf(client: pg.PoolClient): Promise<number> {
  return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
}

/** Resolves when the server reports that the backend `waiting` waits for a lock of the backend `holding`. */
async function waitsFor(waiting: number, holding: number): Promise<void> {
  await eventually('the wait for the other transaction', async () => {
    const [row] = await db.rows<{ waits: boolean }>(
      `SELECT wait_event_type = 'Lock' AND $2 = ANY (pg_blocking_pids(pid)) AS waits
       FROM pg_stat_activity WHERE pid = $1`,
      [waiting, holding],
    )
    return row?.waits
  })
}

async function end(client: pg.PoolClient, how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
  await client.query(how)
  client.release()
}

describe('two open transactions with one key', () => {
  const both = ['single', 'array'] as const

  async function race(kind: (typeof both)[number]) {
    const [first, second] = [await db.begin(), await db.begin()]
    const pids = [await pidOf(second), await pidOf(first)] as const
    const run = (tx: pg.PoolClient) =>
      kind === 'single'
        ? outbox.enqueue(tx, intent, { dedupKey: 'k' })
        : outbox.enqueue(tx, [intent], { dedupKey: () => 'k' }).then(([result]) => result)
    const won = await run(first)
    const pending = run(second)
    await waitsFor(...pids)
    return { first, second, won, pending }
  }

  test.each(both)('the second waits, and is a duplicate when the first commits (%s)', async (kind) => {
    const { first, second, won, pending } = await race(kind)
    await end(first, 'COMMIT')
    expect(await pending).toEqual({ id: won?.id, duplicate: true })
    await end(second, 'COMMIT')
    expect(await storedIds()).toEqual([won?.id])
  })

  test.each(both)('the second waits, and is stored when the first rolls back (%s)', async (kind) => {
    const { first, second, won, pending } = await race(kind)
    await end(first, 'ROLLBACK')
    const result = await pending
    expect(result?.duplicate).toBe(false)
    expect(result?.id).not.toBe(won?.id)
    await end(second, 'COMMIT')
    expect(await storedIds()).toEqual([result?.id])
  })

  test('of two arrays with the same keys in opposite order one waits for the other, without a deadlock', async () => {
    const [holder, first, second] = [await db.begin(), await db.begin(), await db.begin()]
    const pids = [await pidOf(holder), await pidOf(first), await pidOf(second)] as const
    const run = (tx: pg.PoolClient, keys: string[]) =>
      outbox.enqueue(tx, Array<Intent>(3).fill(intent), { dedupKey: (_, i) => keys[i] ?? '' })
    await outbox.enqueue(holder, intent, { dedupKey: 'm' })
    const firstPending = run(first, ['a', 'm', 'z'])
    await waitsFor(pids[1], pids[0])
    // If the second array took z first and then waited for m, the first would hold m and wait for z.
    const secondPending = run(second, ['z', 'm', 'a'])
    await waitsFor(pids[2], pids[1])
    await end(holder, 'ROLLBACK')
    const won = await firstPending
    expect(won.map(({ duplicate }) => duplicate)).toEqual([false, false, false])
    await end(first, 'COMMIT')
    expect(await secondPending).toEqual(won.toReversed().map(({ id }) => ({ id, duplicate: true })))
    await end(second, 'COMMIT')
  })

  test('many arrays with shuffled common keys, all at once, store each key once', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
    const rotated = (by: number) => [...keys.slice(by), ...keys.slice(0, by)]
    const runs = Array.from({ length: 24 }, (_, i) => (i % 2 ? rotated(i) : rotated(i).toReversed()))
    const results = await Promise.all(
      runs.map((ordered) =>
        db.transaction((tx) =>
          outbox.enqueue(tx, Array<Intent>(40).fill(intent), { dedupKey: (_, i) => ordered[i] ?? '' }),
        ),
      ),
    )
    expect(results.flat().filter(({ duplicate }) => !duplicate)).toHaveLength(40)
    expect(await storedIds()).toHaveLength(40)
  })
})

describe('the window', () => {
  const age = (by: string) => db.rows('UPDATE outbox.dedup SET expires_at = expires_at - $1::interval', [by])

  test('ends dedupWindowSeconds after the enqueue, by the clock of the database', async () => {
    await enqueue({ dedupKey: 'k', dedupWindowSeconds: 1.5 })
    const [row] = await db.rows<{ seconds: number }>(
      `SELECT extract(epoch FROM d.expires_at - i.enqueued_at)::float8 AS seconds
       FROM outbox.dedup d JOIN outbox.intents i ON i.id = d.intent_id`,
    )
    expect(row?.seconds).toBe(1.5)
  })

  test('while it lasts a duplicate is not stored; after it the intent is stored again with a new id', async () => {
    const options = { dedupKey: 'k', dedupWindowSeconds: 3600 }
    const first = await enqueue(options)
    await age('3590 seconds')
    expect(await enqueue(options)).toEqual({ id: first.id, duplicate: true })
    await age('10 seconds')
    const second = await enqueue(options)
    expect(second.duplicate).toBe(false)
    expect(await enqueue(options)).toEqual({ id: second.id, duplicate: true })
    await age('3600 seconds')
    const [third] = await db.transaction((tx) =>
      outbox.enqueue(tx, [intent], { ...options, dedupKey: () => 'k' }),
    )
    expect(third?.duplicate).toBe(false)
    expect(await storedIds()).toEqual([first.id, second.id, third?.id])
  })

  test('is not prolonged by a duplicate', async () => {
    const expiry = () => db.rows('SELECT expires_at FROM outbox.dedup')
    await enqueue({ dedupKey: 'k', dedupWindowSeconds: 60 })
    const before = await expiry()
    await enqueue({ dedupKey: 'k', dedupWindowSeconds: 3600 })
    expect(await expiry()).toEqual(before)
  })

  test('also ends for a transaction that began while it lasted', async () => {
    await enqueue({ dedupKey: 'single' })
    await enqueue({ dedupKey: 'array' })
    const old = await db.begin()
    await old.query('SELECT 1')
    await db.rows('UPDATE outbox.dedup SET expires_at = clock_timestamp()')
    const single = await outbox.enqueue(old, intent, { dedupKey: 'single' })
    const [array] = await outbox.enqueue(old, [intent], { dedupKey: () => 'array' })
    await end(old, 'COMMIT')
    expect([single.duplicate, array?.duplicate]).toEqual([false, false])
  })
})

test('the same dedup key in two workspaces makes no duplicate', async () => {
  const here = await enqueue({ dedupKey: 'k' })
  const there = await enqueue({ dedupKey: 'k', workspace: 'other' })
  expect([here.duplicate, there.duplicate]).toEqual([false, false])
  expect(await enqueue({ dedupKey: 'k', workspace: 'other' })).toEqual({ id: there.id, duplicate: true })
})

test("dedup 'content' compares operation, person and payload; the order of JSON fields does not matter", async () => {
  const [dedup, name] = ['content', 'n'] as const
  const enqueueContent = async (given: object) =>
    (await enqueue({ dedup }, { operation: 'track', name, ...given } as Intent)).duplicate
  expect(await enqueueContent({ customerId: 42, data: { a: 1, b: { c: [1, 2], d: null } } })).toBe(false)
  expect(await enqueueContent({ data: { b: { d: null, c: [1, 2] }, a: 1 }, customerId: 42 })).toBe(true)
  expect(await enqueueContent({ identifiers: { id: '42' }, data: { a: 1, b: { c: [1, 2], d: null } } })).toBe(
    true,
  )
  expect(await enqueueContent({ customerId: 42, data: { a: 1, b: { c: [2, 1], d: null } } })).toBe(false)
  expect(await enqueueContent({ customerId: 43, data: { a: 1, b: { c: [1, 2], d: null } } })).toBe(false)
  expect(await enqueueContent({ customerId: 42, data: { a: '1', b: { c: [1, 2], d: null } } })).toBe(false)
  expect(await storedIds()).toHaveLength(4)
})

test("dedup 'content' of an array stores each content once", async () => {
  const results = await db.transaction((tx) =>
    outbox.enqueue(tx, [intent, { ...intent, name: 'other' }, intent], { dedup: 'content' }),
  )
  const [first, second, third] = results
  expect(third).toEqual({ id: first?.id, duplicate: true })
  expect(await storedIds()).toEqual([first?.id, second?.id])
})

test('an array with a used key and repeated keys returns each result at its index', async () => {
  const earlier = await enqueue({ dedupKey: 'used' })
  const keys = ['a', 'used', 'b', 'a', 'used', 'b', 'c']
  const results = await db.transaction((tx) =>
    outbox.enqueue(tx, Array<Intent>(7).fill(intent), { dedupKey: (_, i) => keys[i] ?? '' }),
  )
  expect(results.map(({ duplicate }) => duplicate)).toEqual([false, true, false, true, true, true, false])
  const ids = results.map(({ id }) => id)
  expect([ids[1], ids[4], ids[3], ids[5]]).toEqual([earlier.id, earlier.id, ids[0], ids[2]])
  expect(await storedIds()).toEqual([earlier.id, ids[0], ids[2], ids[6]])
})

describe('in a REPEATABLE READ transaction', () => {
  async function snapshot(): Promise<pg.PoolClient> {
    const client = await db.begin()
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await client.query('SELECT 1')
    return client
  }

  test('an intent whose key was committed before the snapshot is a duplicate', async () => {
    const first = await enqueue({ dedupKey: 'k' })
    const tx = await snapshot()
    expect(await outbox.enqueue(tx, intent, { dedupKey: 'k' })).toEqual({ id: first.id, duplicate: true })
    await end(tx, 'COMMIT')
  })

  test('a key that was committed after the snapshot causes a serialization failure, never a second intent', async () => {
    for (const given of [intent, [intent]]) {
      const tx = await snapshot()
      await enqueue({ dedupKey: `k ${Array.isArray(given)}` })
      const dedupKey = Array.isArray(given) ? () => 'k true' : 'k false'
      await expect(outbox.enqueue(tx, given as Intent, { dedupKey } as EnqueueOptions)).rejects.toMatchObject(
        {
          code: '40001',
        },
      )
      await end(tx, 'ROLLBACK')
    }
    expect(await storedIds()).toHaveLength(2)
  })
})
