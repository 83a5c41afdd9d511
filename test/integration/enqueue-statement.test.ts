import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createOutbox,
  type Intent,
  intents,
  InvalidIntentError,
  InvalidOptionError,
} from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const outbox = createOutbox()
let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  await db.rows('CREATE TABLE orders (id text)')
})
afterAll(() => db.drop())
afterEach(() => db.rows('TRUNCATE orders, outbox.intents, outbox.dedup'))

const stored = () =>
  db.rows<Record<string, unknown>>(
    `SELECT id::text, operation, format, payload::text, ordering_key, destination, lane, priority, on_ambiguous,
            send_after::text, expires_at::text FROM outbox.intents ORDER BY seq`,
  )

const timestamp = 1_700_000_000
const EVENT: Intent = {
  operation: 'track',
  customerId: 'u1',
  name: 'order "1" ?',
  data: { é: [1e21, '$1'] },
  timestamp,
}
const DESTROY: Intent = { operation: 'destroy', customerId: 'u1' }

describe('the statement stores what enqueue stores', () => {
  const options = {
    orderingKey: 'k',
    workspace: 'eu',
    priority: 'bulk',
    onAmbiguous: 'resend',
    sendAfter: new Date('2033-02-28T23:59:59.123Z'),
  } as const

  test.each<[string, Intent | Intent[], object]>([
    ['an event', EVENT, {}],
    ['an event with options', EVENT, options],
    ['an operation that is stored as its payload', DESTROY, {}],
    ['an operation that is stored as its payload, with options', DESTROY, options],
    ['an array of events', [EVENT, { ...EVENT, name: 'second' }], options],
    ['an array with both forms', [EVENT, DESTROY], {}],
  ])('%s', async (_name, given, enqueueOptions) => {
    const { text, values } = outbox.statement(given as Intent[], enqueueOptions)
    const results = await db.transaction(async (tx) => {
      await outbox.enqueue(tx, given as Intent[], enqueueOptions)
      return (await tx.query(text, values)).rows
    })
    const count = [given].flat().length
    const rows = await stored()
    expect(rows).toHaveLength(2 * count)
    expect(rows.slice(count).map((row) => ({ ...row, id: '' }))).toEqual(
      rows.slice(0, count).map((row) => ({ ...row, id: '' })),
    )
    expect(results).toEqual(rows.slice(count).map(({ id }) => ({ id, duplicate: false })))
  })
})

test('a dedup key counts for statements, too, and in an array by intent', async () => {
  const one = outbox.statement(EVENT, { dedupKey: 'a' })
  const many = outbox.statement([EVENT, EVENT], { dedupKey: (_intent, index) => (index === 0 ? 'b' : 'a') })
  await db.transaction(async (tx) => {
    const [first] = (await tx.query(one.text, one.values)).rows
    expect((await tx.query(one.text, one.values)).rows).toEqual([{ id: first.id, duplicate: true }])
    expect((await tx.query(many.text, many.values)).rows).toMatchObject([
      { duplicate: false },
      { id: first.id, duplicate: true },
    ])
  })
  expect(await stored()).toHaveLength(2)
})

test('it goes in one round trip with the business write, and rolls back with it', async () => {
  const sql = postgres(db.url, { max: 1 })
  const { text, values } = outbox.statement(EVENT)
  const write = (id: string) =>
    sql.begin((tx) => [
      tx`INSERT INTO orders VALUES (${id})`,
      tx.unsafe(text, values),
      tx`SELECT 1 / ${id}::int`,
    ])
  try {
    await write('1')
    await expect(write('0')).rejects.toMatchObject({ code: '22012' })
  } finally {
    await sql.end()
  }
  expect(await db.rows('SELECT id FROM orders')).toEqual([{ id: '1' }])
  expect(await stored()).toHaveLength(1)
})

test('a wrong intent or option is refused when the statement is made', () => {
  const bad = { ...EVENT, name: '' } as Intent
  expect(() => outbox.statement(bad)).toThrow(InvalidIntentError)
  expect(() => outbox.statement([EVENT, bad])).toThrow(/\[1\]\.name is empty/)
  expect(() => outbox.statement([])).toThrow(InvalidOptionError)
  expect(() => outbox.statement(EVENT, { dedupKey: '' })).toThrow(InvalidOptionError)
  const ignoring = { onError: 'ignore' } as object
  expect(() => outbox.statement(EVENT, ignoring)).toThrow(
    'Expected onError to be absent: a statement is not run here, got "ignore"',
  )
})

test('the schema of the outbox is in the text, and every value is text or null', () => {
  const { text, values } = createOutbox({ schema: 'other' }).statement(intents.track(7, 'n'), {
    dedupKey: 'k',
  })
  expect(text).toContain('"other".enqueue_wire_with(')
  expect(values.every((value) => value === null || typeof value === 'string')).toBe(true)
})
