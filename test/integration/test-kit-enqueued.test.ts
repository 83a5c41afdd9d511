import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type Intent, intents } from '../../src/index.ts'
import { enqueued, expectEnqueued, expectNothingEnqueued } from '../../src/testing/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const outbox = createOutbox()
const order: Intent = { operation: 'track', customerId: 'u1', name: 'order_placed', data: { total: 99 } }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

describe('the test kit on a server', () => {
  beforeEach(() => db.rows('TRUNCATE outbox.intents, outbox.dedup'))

  test('does not see what another session stores at the same time, committed or not', async () => {
    const [own, open, committed] = [await db.begin(), await db.begin(), await db.begin()]
    try {
      await outbox.enqueue(own, intents.track('own', 'one'))
      await outbox.enqueue(open, intents.track('open', 'one'))
      await outbox.enqueue(committed, intents.track('committed', 'one'))
      await committed.query('COMMIT')
      await outbox.enqueue(own, intents.track('own', 'two'))
      expect(await enqueued(own)).toMatchObject([{ name: 'one' }, { name: 'two' }])
      expect(await enqueued(own, { customerId: 'committed' })).toEqual([])
      expect(await enqueued(db.pool)).toMatchObject([{ customerId: 'committed' }])
      await own.query('COMMIT')
      expect(await enqueued(own)).toHaveLength(3) // outside a transaction it shows the queue
    } finally {
      for (const client of [own, open, committed]) {
        await client.query('ROLLBACK')
        client.release()
      }
    }
  })

  test('a handle of each kind shows the queue: pool, client, Drizzle over pg and postgres.js', async () => {
    await db.transaction((tx) => outbox.enqueue(tx, order))
    const client = await db.pool.connect()
    const postgresJs = postgres(db.url, { max: 1, onnotice: () => {} })
    try {
      for (const handle of [db.pool, client, drizzleNodePostgres(db.pool), drizzlePostgresJs(postgresJs)])
        await expectEnqueued(handle, order)
    } finally {
      client.release()
      await postgresJs.end()
    }
  })

  test('an adapter outside a transaction shows the queue', async () => {
    await db.transaction((tx) => outbox.enqueue(tx, order))
    const adapter = { executeSql: (text: string, values?: unknown[]) => db.pool.query(text, values) }
    expect(await enqueued(adapter)).toHaveLength(1)
  })

  test('a read leaves the transaction usable, and is refused in one that has failed', async () => {
    const tx = await db.begin()
    try {
      await expectNothingEnqueued(tx)
      await outbox.enqueue(tx, order)
      await expectEnqueued(tx, order)
      await tx.query('SELECT 1/0').catch(() => {})
      await expect(enqueued(tx)).rejects.toThrow('in which a statement has failed: roll it back')
    } finally {
      await tx.query('ROLLBACK')
      tx.release()
    }
    expect(await enqueued(db.pool)).toEqual([])
  })

  test('shows only what the app wrote, and dates as they were given', async () => {
    const sendAfter = new Date(Date.now() + 60_000)
    await db.transaction(async (tx) => {
      await outbox.enqueue(tx, intents.track({ id: 5 }, 'now'), { sendAfter, workspace: 'brand' })
      await outbox.enqueue(tx, { ...order, timestamp: 1_700_000_000 })
      const found = await enqueued(tx)
      expect(found[0]).toMatchObject({ customerId: '5', name: 'now', sendAfter, workspace: 'brand' })
      expect(found[0]).not.toHaveProperty('timestamp')
      expect(found[1]).toMatchObject({ timestamp: 1_700_000_000 })
      await expectEnqueued(tx, { identifiers: { id: '5' }, sendAfter })
    })
  })

  test.each([
    ['null', null],
    ['an empty object', {}],
  ])('refuses %s', async (_, source) => {
    await expect(enqueued(source as never)).rejects.toThrow(
      'Expected an open transaction, a pg Pool or Client, a PGlite or a Drizzle database',
    )
  })
})
