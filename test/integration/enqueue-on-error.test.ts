import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type Intent, InvalidOptionError, NotATransactionError } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type Driver, DRIVERS } from '../support/enqueue-drivers.ts'

const intent: Intent = { operation: 'identify', customerId: 'u1', attributes: { pin: 'SECRET' } }
const invalid: Intent = { operation: 'track', customerId: 'u1', name: '' }

// pg-boss' adapter does not offer the savepoints of its driver, so `enqueue` sends SAVEPOINT as a statement. Only postgres.js
// requires its own savepoints, and here the adapter wraps node-postgres.
describe.each(DRIVERS)("onError 'ignore' in %s", (_name, open) => {
  let ignored: Error[] = []
  const onIgnored = (error: Error) => void ignored.push(error)
  const outbox = createOutbox({ onIgnored })
  const broken = createOutbox({ onIgnored, schema: 'not_migrated' })

  let db: TestDatabase
  let driver: Driver
  beforeAll(async () => {
    db = await createTestDatabase()
    driver = await open(db.url)
    await driver.transaction(({ run }) => run('CREATE TABLE orders (id text PRIMARY KEY)'))
  })
  afterAll(async () => {
    await driver.close()
    await db.drop()
  })
  beforeEach(() => {
    ignored = []
  })
  afterEach(() => driver.transaction(({ run }) => run('TRUNCATE orders, outbox.intents, outbox.dedup')))

  const orders = async () => (await driver.rows('SELECT id FROM orders ORDER BY id')).map(({ id }) => id)
  const intents = async () =>
    (await driver.rows('SELECT operation FROM outbox.intents ORDER BY seq')).map(({ operation }) => operation)

  test('an invalid intent is left out: the business write commits, and the error is reported once', async () => {
    const [single, many] = await driver.transaction(async ({ tx, run }) => {
      await run("INSERT INTO orders VALUES ('before')")
      const single = await outbox.enqueue(tx, invalid, { onError: 'ignore' })
      const many = await outbox.enqueue(tx, [intent, invalid], { onError: 'ignore' })
      await run("INSERT INTO orders VALUES ('after')")
      return [single, many] as const
    })
    expect(await orders()).toEqual(['after', 'before'])
    expect(await intents()).toEqual([])
    expect(ignored.map(({ name }) => name)).toEqual(['InvalidIntentError', 'InvalidIntentError'])
    expect(single).toEqual({ duplicate: false, error: ignored[0] })
    expect(many).toEqual([
      { duplicate: false, error: ignored[1] },
      { duplicate: false, error: ignored[1] },
    ])
  })

  test('after an error of the database only the enqueue is rolled back: the business write commits', async () => {
    const [single, many] = await driver.transaction(async ({ tx, run }) => {
      await run("INSERT INTO orders VALUES ('before')")
      const single = await broken.enqueue(tx, intent, { onError: 'ignore' })
      await outbox.enqueue(tx, { operation: 'destroy', customerId: 'u1' })
      const many = await broken.enqueue(tx, [intent, intent], { onError: 'ignore' })
      await run("INSERT INTO orders VALUES ('after')")
      return [single, many] as const
    })
    expect(await orders()).toEqual(['after', 'before'])
    expect(await intents()).toEqual(['destroy'])
    expect(ignored).toMatchObject([{ code: '3F000' }, { code: '3F000' }])
    expect(ignored.map(({ message }) => message).join()).not.toContain('SECRET')
    expect(single.error).toBe(ignored[0])
    expect(many.map(({ error }) => error)).toEqual([ignored[1], ignored[1]])
  })

  test('a valid intent is enqueued, and a later rollback removes it', async () => {
    const options = { onError: 'ignore', dedupKey: 'k' } as const
    const results = await driver.transaction(async ({ tx }) => [
      await outbox.enqueue(tx, intent, options),
      await outbox.enqueue(tx, intent, options),
    ])
    expect(results.map(({ duplicate, id }) => ({ duplicate, id }))).toEqual([
      { duplicate: false, id: results[0]?.id },
      { duplicate: true, id: results[0]?.id },
    ])
    await expect(
      driver.transaction(async ({ tx }) => {
        await outbox.enqueue(tx, intent, { onError: 'ignore' })
        throw new Error('the business refused')
      }),
    ).rejects.toThrow('the business refused')
    expect(await intents()).toEqual(['identify'])
    expect(ignored).toEqual([])
  })

  test('a mistake in the calling code is thrown, and the transaction goes on', async () => {
    const ignore = { onError: 'ignore' } as const
    await driver.transaction(async ({ tx, run }) => {
      await expect(outbox.enqueue({} as never, intent, ignore)).rejects.toBeInstanceOf(NotATransactionError)
      await expect(outbox.enqueue(tx, intent, { ...ignore, dedupKey: '' })).rejects.toBeInstanceOf(
        InvalidOptionError,
      )
      const keyOf = () => (undefined as unknown as string).trim()
      await expect(outbox.enqueue(tx, [intent], { ...ignore, dedupKey: keyOf })).rejects.toBeInstanceOf(
        TypeError,
      )
      await run("INSERT INTO orders VALUES ('after')")
    })
    expect(await orders()).toEqual(['after'])
    expect(await intents()).toEqual([])
    expect(ignored).toEqual([])
  })

  test("without 'ignore' the same errors are thrown and onIgnored is not called", async () => {
    await expect(driver.transaction(({ tx }) => outbox.enqueue(tx, invalid))).rejects.toThrow('name is empty')
    await expect(driver.transaction(({ tx }) => broken.enqueue(tx, intent))).rejects.toMatchObject({
      code: '3F000',
    })
    expect(ignored).toEqual([])
  })
})

test('without onIgnored, Node emits a warning without the payload', async () => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  process.once('warning', resolve)
  const db = await createTestDatabase()
  await db.transaction((tx) =>
    createOutbox({ schema: 'not_migrated' }).enqueue(tx, intent, { onError: 'ignore' }),
  )
  const warning = await promise
  expect(warning.name).toBe('CustomerioOutboxWarning')
  expect(warning.message).toContain('schema "not_migrated" does not exist')
  expect(warning.message).not.toContain('SECRET')
  await db.drop()
})
