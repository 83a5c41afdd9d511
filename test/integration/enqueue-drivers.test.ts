import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type Driver, DRIVERS, TakeBack } from '../support/enqueue-drivers.ts'

/** Values that a driver, a cast or a JSON encoder could change. */
const HARD_JSON = {
  unicode: 'Zoë 👩‍👩‍👧 漢字 \u2028 \u{10FFFF} é',
  quotes: `"double" 'single' \\ back \\\\ $1 :name ? {{liquid}} \n\t\r\b\f`,
  looksLikeJson: '{"a":1}',
  looksLikeAString: '"text"',
  looksLikeNull: 'null',
  looksLikeArray: '{1,2}',
  numbers: [0, -1, 1.5, 1e21, 1.7976931348623157e308, 5e-324, 9007199254740991, 0.1],
  nested: { deep: [{ deeper: [[], {}, [null, true, false]] }] },
  empty: {},
  emptyArray: [],
  '': 'empty name',
  'name with "quotes" and \\': 1,
  nothing: null,
}
const hard = (customerId: string): Intent => ({
  operation: 'track',
  customerId,
  name: 'hard',
  data: HARD_JSON,
})
const person = (customerId: string): Intent => ({ operation: 'identify', customerId })

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

describe.each(DRIVERS)('enqueue in %s', (_name, open) => {
  const outbox = createOutbox()
  let driver: Driver
  beforeAll(async () => {
    driver = await open(db.url)
    await driver.transaction(({ run }) => run('TRUNCATE outbox.intents, outbox.dedup'))
  })
  afterAll(() => driver.close())

  async function stored(customerId: string): Promise<Record<string, unknown>[]> {
    return driver.rows(
      `SELECT id::text, operation, outbox.payload_of(format, operation, payload, enqueued_at)::text AS payload, ordering_key, destination, lane, priority, on_ambiguous,
              (extract(epoch FROM send_after) * 1000)::text AS send_after,
              (extract(epoch FROM expires_at) * 1000)::text AS expires_at
       FROM outbox.intents WHERE ordering_key = '${customerId}' ORDER BY seq`,
    )
  }

  test('an intent is stored unchanged, with the returned id', async () => {
    const result = await driver.transaction(({ tx }) => outbox.enqueue(tx, hard('single')))
    const [row] = await stored('single')
    expect(result).toEqual({ id: row?.id, duplicate: false })
    expect(result.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(row?.operation).toBe('track')
    expect(JSON.parse(String(row?.payload))).toStrictEqual({
      customerId: 'single',
      name: 'hard',
      data: HARD_JSON,
    })
  })

  test('an array is stored in its order, each intent unchanged', async () => {
    const intents: Intent[] = [hard('many'), person('many'), hard('many')]
    const results = await driver.transaction(({ tx }) => outbox.enqueue(tx, intents))
    const rows = await stored('many')
    expect(results).toEqual(rows.map(({ id }) => ({ id, duplicate: false })))
    expect(
      rows.map(({ operation, payload }) => ({ operation, ...JSON.parse(String(payload)) })),
    ).toStrictEqual(intents)
  })

  test('an empty array stores nothing', async () => {
    expect(await driver.transaction(({ tx }) => outbox.enqueue(tx, []))).toEqual([])
  })

  test.each([
    ['to the millisecond', new Date('2033-02-28T23:59:59.123Z'), new Date('2033-03-01T00:00:00.007Z')],
    [
      'up to the latest accepted',
      new Date(Date.now() + 3_652 * 86_400_000),
      new Date('9999-12-31T23:59:59.999Z'),
    ],
  ])('dates are exact %s', async (name, sendAfter, expiresAt) => {
    const options = { sendAfter, expiresAt, orderingKey: `dates ${name}` }
    await driver.transaction(async ({ tx }) => {
      await outbox.enqueue(tx, person('dates'), options)
      await outbox.enqueue(tx, [person('dates')], options)
    })
    const rows = await stored(`dates ${name}`)
    expect(rows.map((row) => [Number(row.send_after), Number(row.expires_at), row.lane])).toEqual([
      [sendAfter.getTime(), expiresAt.getTime(), -1],
      [sendAfter.getTime(), expiresAt.getTime(), -1],
    ])
  })

  test('every option is stored', async () => {
    await driver.transaction(({ tx }) =>
      outbox.enqueue(tx, person('x'), {
        orderingKey: 'options',
        workspace: 'eu-1',
        priority: 'bulk',
        onAmbiguous: 'resend',
      }),
    )
    const [row] = await stored('options')
    expect(row).toMatchObject({ destination: 'eu-1/track', priority: 'bulk', on_ambiguous: 'resend' })
    expect(Number(row?.lane)).toBeGreaterThanOrEqual(16)
  })

  test('a used dedup key returns the id of the first intent, for one intent and for an array', async () => {
    const dedupKey = `ключ "1"`
    const enqueueOne = () =>
      driver.transaction(({ tx }) =>
        outbox.enqueue(tx, person('dedup'), { dedupKey, dedupWindowSeconds: 60.5 }),
      )
    const enqueueArray = () =>
      driver.transaction(({ tx }) => outbox.enqueue(tx, [person('dedup')], { dedupKey: () => dedupKey }))
    const first = await enqueueOne()
    expect(first.duplicate).toBe(false)
    expect(await enqueueOne()).toEqual({ id: first.id, duplicate: true })
    expect(await enqueueArray()).toEqual([{ id: first.id, duplicate: true }])
    expect(await stored('dedup')).toHaveLength(1)
  })

  test('a rollback leaves nothing, not even the dedup key', async () => {
    const options = { dedupKey: 'rolled back' }
    await expect(
      driver.transaction(async ({ tx }) => {
        await outbox.enqueue(tx, person('rollback'), options)
        await outbox.enqueue(tx, [person('rollback')])
        throw new Error('the business refused')
      }),
    ).rejects.toThrow('the business refused')
    expect(await stored('rollback')).toEqual([])
    const again = await driver.transaction(({ tx }) => outbox.enqueue(tx, person('rollback'), options))
    expect(again.duplicate).toBe(false)
  })

  test('a rollback to a savepoint removes only the intents that were enqueued after the savepoint', async () => {
    const options = { dedupKey: 'taken back' }
    const [, again] = await driver.transaction(async ({ tx, nested }) => {
      await outbox.enqueue(tx, { operation: 'track', customerId: 'savepoint', name: 'before' })
      await nested(async (inner) => {
        await outbox.enqueue(inner, { operation: 'track', customerId: 'savepoint', name: 'inside' }, options)
        throw new TakeBack()
      })
      const after: Intent = { operation: 'track', customerId: 'savepoint', name: 'after' }
      return [undefined, await outbox.enqueue(tx, after, options)] as const
    })
    expect(again.duplicate).toBe(false)
    const names = (await stored('savepoint')).map(({ payload }) => JSON.parse(String(payload)).name)
    expect(names).toEqual(['before', 'after'])
  })

  test('a transaction in which a statement has failed is refused', async () => {
    let refusal: unknown
    const failed = driver.transaction(async ({ tx, run }) => {
      await run('SELECT 1/0').catch(() => {})
      refusal = await outbox.enqueue(tx, person('failed')).catch((error: unknown) => error)
      throw refusal
    })
    await expect(failed).rejects.toThrow()
    expect(refusal).toMatchObject({
      name: 'NotATransactionError',
      message: expect.stringContaining(
        'got one in which a statement has failed, run ROLLBACK and begin again',
      ),
    })
  })

  test('enqueue throws the error of the database, without data of the customer', async () => {
    const elsewhere = createOutbox({ schema: 'not_migrated' })
    const secret: Intent = {
      operation: 'identify',
      customerId: 'SECRET-ID',
      attributes: { pin: 'SECRET-PIN' },
    }
    for (const given of [secret, [secret]]) {
      const error = await driver
        .transaction(({ tx }) => elsewhere.enqueue(tx, given as Intent, {}))
        .then(() => undefined)
        .catch((caught: unknown) => caught as Error & { code?: string })
      expect(error?.code).toBe('3F000')
      expect(error?.message).toBe('schema "not_migrated" does not exist')
      expect(error?.stack).not.toContain('SECRET')
    }
  })
})
