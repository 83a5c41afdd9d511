import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createOutbox,
  type EnqueueOptions,
  type Intent,
  InvalidIntentError,
  InvalidOptionError,
  NotATransactionError,
  type Transaction,
} from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { recording } from '../support/recording-client.ts'

const outbox = createOutbox()
const intent: Intent = { operation: 'identify', customerId: 'u1' }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  await db.rows('CREATE TABLE orders (id text PRIMARY KEY)')
})
afterAll(() => db.drop())
beforeEach(() => db.rows('TRUNCATE orders, outbox.intents, outbox.dedup'))

async function countIntents(): Promise<number> {
  const [row] = await db.rows<{ count: number }>('SELECT count(*)::int AS count FROM outbox.intents')
  return row?.count ?? -1
}

async function expectRefusal(tx: unknown): Promise<void> {
  const error = await outbox.enqueue(tx as Transaction, intent, { dedupKey: 'k' }).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(NotATransactionError)
  expect(error).toMatchObject({
    name: 'NotATransactionError',
    code: 'NOT_A_TRANSACTION',
    message: expect.stringContaining("pass your library's own transaction object"),
  })
  expect(await countIntents()).toBe(0)
}

// test/libraries has the handles of each library.
describe('what is no handle of a library is refused, and nothing is written', () => {
  test.each([
    ['null', null],
    ['undefined', undefined],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a function', () => {}],
    ['a connection string', 'postgres://localhost/app'],
  ])('%s', async (_name, tx) => {
    await expectRefusal(tx)
  })
})

const bad = (fields: object) =>
  ({ operation: 'track', customerId: 'u1', name: 'n', ...fields }) as unknown as Intent
const BAD_INTENTS: readonly (readonly [string, Intent, field: string])[] = [
  ['an unknown operation', bad({ operation: 'trak' }), 'operation'],
  ['an operation that no relay knows', bad({ operation: 'sendWhatsApp' }), 'operation'],
  ['a payload of 33 KB', bad({ data: { text: 'x'.repeat(33 * 1024) } }), ''],
  ['a Date in the payload', bad({ data: { at: [new Date(0)] } }), 'data.at[0]'],
  ['NaN in the payload', bad({ data: { total: Number.NaN } }), 'data.total'],
  ['an id of 151 bytes', bad({ customerId: `${'é'.repeat(75)}x` }), 'customerId'],
  ['an empty name', bad({ name: '' }), 'name'],
  ['a NUL character', bad({ data: { text: 'a\u0000b' } }), 'data.text'],
  ['half a surrogate pair', bad({ data: { text: '\uD83D' } }), 'data.text'],
  ['no person', { operation: 'destroy' } as unknown as Intent, 'customerId'],
  ['no intent', null as unknown as Intent, ''],
]

describe('a bad intent is refused before any SQL runs, and the transaction goes on', () => {
  test.each(BAD_INTENTS)('%s', async (_name, given, field) => {
    await db.transaction(async (client) => {
      await client.query("INSERT INTO orders VALUES ('1')")
      const tx = recording(client)
      const single = await outbox.enqueue(tx, given).catch((e: unknown) => e)
      const many = await outbox.enqueue(tx, [intent, given]).catch((e: unknown) => e)
      expect(single).toBeInstanceOf(InvalidIntentError)
      expect(single).toMatchObject({ field })
      expect(many).toMatchObject({ name: 'InvalidIntentError', field: expect.stringMatching(/^\[1\]/) })
      expect(tx.statements).toEqual([])
      await outbox.enqueue(tx, intent)
    })
    expect(await db.rows('SELECT id FROM orders')).toEqual([{ id: '1' }])
    expect(await countIntents()).toBe(1)
  })

  test.each([
    ['an unknown option', { dedupkey: 'k' }],
    ['a key of 501 bytes', { dedupKey: 'x'.repeat(501) }],
    ['a window of 0 seconds', { dedupKey: 'k', dedupWindowSeconds: 0 }],
    ['an invalid Date', { sendAfter: new Date('soon') }],
    ['an expiry before sendAfter', { sendAfter: new Date(2000), expiresAt: new Date(1000) }],
    ['a workspace with a slash', { workspace: 'a/b' }],
  ])('%s', async (_name, options) => {
    await db.transaction(async (client) => {
      const tx = recording(client)
      await expect(outbox.enqueue(tx, intent, options as EnqueueOptions)).rejects.toBeInstanceOf(
        InvalidOptionError,
      )
      expect(tx.statements).toEqual([])
      await outbox.enqueue(tx, intent)
    })
    expect(await countIntents()).toBe(1)
  })

  test('one bad intent among 1,000 is named by its index, and none is stored', async () => {
    const intents: Intent[] = Array.from({ length: 1000 }, (_, i) => ({
      operation: 'identify',
      customerId: i,
    }))
    intents[617] = { operation: 'track', customerId: 617, name: '' }
    await db.transaction(async (client) => {
      const tx = recording(client)
      const error = await outbox.enqueue(tx, intents).catch((e: unknown) => e)
      expect(error).toMatchObject({ name: 'InvalidIntentError', field: '[617].name', operation: 'track' })
      expect((error as Error).message).toContain('[617].name is empty')
      expect(tx.statements).toEqual([])
    })
    expect(await countIntents()).toBe(0)
  })
})

test('a hole in an array is refused as an intent that is missing', async () => {
  // biome-ignore lint/suspicious/noSparseArray: a hole is the case
  const sparse = [intent, , intent] as Intent[]
  expect(() => outbox.statement(sparse)).toThrow(InvalidIntentError)
  await db.transaction(async (client) => {
    const tx = recording(client)
    await expect(outbox.enqueue(tx, sparse)).rejects.toBeInstanceOf(InvalidIntentError)
    expect(tx.statements).toEqual([])
  })
})

test('an adapter that returns no rows is an error, and stores an intent at most once', async () => {
  await db.transaction(async (client) => {
    await client.query("INSERT INTO orders VALUES ('1')")
    const adapter = {
      executeSql: async (text: string, values?: unknown[]) => {
        await client.query(text, values)
        return { rows: [] }
      },
    }
    const given: Intent[] = [intent, { operation: 'destroy', customerId: 'u1' }]
    await expect(outbox.enqueue(adapter, intent)).rejects.toThrow('got other rows')
    await expect(outbox.enqueue(adapter, given)).rejects.toThrow('got other rows')
  })
  expect(await countIntents()).toBe(3)
})

test('the smallest and the largest dedup windows are accepted', async () => {
  const windows = [Number.MIN_VALUE, 1e-7, 1e-3, 315_360_000]
  await db.transaction(async (tx) => {
    for (const dedupWindowSeconds of windows) {
      await outbox.enqueue(tx, intent, { dedupKey: String(dedupWindowSeconds), dedupWindowSeconds })
      await outbox.enqueue(tx, [intent], { dedupKey: () => `${dedupWindowSeconds} too`, dedupWindowSeconds })
    }
  })
  expect(await countIntents()).toBe(windows.length * 2)
})
