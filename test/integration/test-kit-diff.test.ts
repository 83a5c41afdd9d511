import { AssertionError } from 'node:assert'
import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, intents } from '../../src/index.ts'
import { enqueued, expectEnqueued, expectNothingEnqueued, migratePglite } from '../../src/testing/index.ts'

const outbox = createOutbox()
let pglite: PGlite
beforeAll(async () => {
  pglite = await PGlite.create()
  await migratePglite(pglite)
})
afterAll(() => pglite.close())
beforeEach(() => pglite.exec('TRUNCATE outbox.intents, outbox.dedup'))

/** The error of an assertion that must fail. */
async function failureOf(assertion: Promise<unknown>): Promise<AssertionError> {
  const error = await assertion.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(AssertionError)
  return error as AssertionError
}

describe('migratePglite', () => {
  test('a second call changes nothing', async () => {
    await pglite.transaction((tx) => outbox.enqueue(tx, intents.track('u1', 'kept')))
    await migratePglite(pglite)
    expect(await enqueued(pglite)).toHaveLength(1)
  })

  test('makes a schema of another name', async () => {
    await migratePglite(pglite, { schema: 'brand_outbox' })
    const other = createOutbox({ schema: 'brand_outbox' })
    await pglite.transaction(async (tx) => {
      await other.enqueue(tx, intents.track('u1', 'elsewhere'))
      await expectNothingEnqueued(tx)
      await expectEnqueued(tx, { name: 'elsewhere' }, { schema: 'brand_outbox' })
    })
  })

  test('refuses anything but a PGlite database', async () => {
    await expect(migratePglite({} as never)).rejects.toThrow('pass the result of PGlite.create()')
  })
})

describe('expectEnqueued', () => {
  test('shows the nearest miss as a diff', async () => {
    const error = await pglite.transaction(async (tx) => {
      await outbox.enqueue(tx, [
        intents.identify('u1', { plan: 'pro' }),
        intents.track('u1', 'order_placed', { total: 42, items: ['a', 'b'], paid: true }),
        intents.track('u2', 'order_placed', { total: 99 }),
      ])
      return failureOf(
        expectEnqueued(tx, {
          operation: 'track',
          customerId: 'u1',
          name: 'order_placed',
          data: { total: 99, items: ['a'], coupon: 'spring' },
        }),
      )
    })
    expect(error.message).toBe(
      [
        'Expected the transaction to have an intent with these values, got 3 others. The nearest of them:',
        '',
        '- expected',
        '+ enqueued',
        '',
        '  {',
        "    operation: 'track'",
        "    customerId: 'u1'",
        "    name: 'order_placed'",
        '    data: {',
        '-     total: 99',
        '+     total: 42',
        '      items: [',
        "        'a'",
        "+       'b'",
        '      ]',
        "-     coupon: 'spring'",
        '    }',
        '  }',
      ].join('\n'),
    )
  })

  test('tells the runner what differs: only the expected places', async () => {
    const error = await pglite.transaction(async (tx) => {
      await outbox.enqueue(tx, intents.track('u1', 'order_placed', { total: 42, secret: 'x' }))
      return failureOf(expectEnqueued(tx, { name: 'order_placed', data: { total: 99 } }))
    })
    expect(error).toMatchObject({
      code: 'ERR_ASSERTION',
      operator: 'expectEnqueued',
      actual: { name: 'order_placed', data: { total: 42 } },
      expected: { name: 'order_placed', data: { total: 99 } },
    })
    expect(error.actual).not.toHaveProperty('data.secret')
  })

  test('says what to check if nothing was enqueued', async () => {
    const inside = await pglite.transaction((tx) => failureOf(expectEnqueued(tx, { operation: 'destroy' })))
    expect(inside.message).toBe(
      "Expected the transaction to have an intent like { operation: 'destroy' }, got none. Check that enqueue was awaited, and that it got this transaction",
    )
    const outside = await failureOf(expectEnqueued(pglite, { operation: 'destroy' }))
    expect(outside.message).toContain('Check that the transaction was committed')
  })

  test('accepts matchers, and returns the intent with the type of its operation', async () => {
    await pglite.transaction(async (tx) => {
      await outbox.enqueue(
        tx,
        intents.track('u1', 'order_placed', { total: 42, at: new Date(0).toISOString() }),
      )
      const { name } = await expectEnqueued(tx, {
        operation: 'track',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        data: { total: expect.any(Number), at: '1970-01-01T00:00:00.000Z' },
      })
      expect(name.length).toBe(12)
      const error = await failureOf(expectEnqueued(tx, { data: { total: expect.any(String) } }))
      expect(error.message).toContain('-     total: Any<String>\n+     total: 42')
    })
  })

  test.each([
    ['a longer array', { items: ['a'] }, false],
    ['a shorter array', { items: ['a', 'b', 'c'] }, false],
    ['an object in place of an array', { items: {} }, false],
    ['the same array', { items: ['a', 'b'] }, true],
    ['an absent field that must be absent', { coupon: undefined }, true],
    ['a field that must be absent', { total: undefined }, false],
    ['null in place of nothing', { coupon: null }, false],
    ['a text in place of a number', { total: '42' }, false],
  ])('compares: %s', async (_, data, isMatch) => {
    await pglite.transaction(async (tx) => {
      await outbox.enqueue(tx, intents.track('u1', 'order_placed', { total: 42, items: ['a', 'b'] }))
      expect(await enqueued(tx, { operation: 'track', data })).toHaveLength(isMatch ? 1 : 0)
    })
  })

  test('takes 7 and "7" for one person, and a Map for no object', async () => {
    await pglite.transaction(async (tx) => {
      await outbox.enqueue(tx, [intents.track(7, 'seven', { list: { a: 0 } }), intents.destroy(7)])
      for (const customerId of [7, '7']) {
        expect(await enqueued(tx, { customerId } as object)).toHaveLength(2)
        await expect(expectNothingEnqueued(tx, { customerId } as object)).rejects.toThrow('seven')
      }
      expect(await enqueued(tx, { data: { list: { a: -0 } } } as object)).toHaveLength(1)
      for (const list of [new Map([['a', 0]]), /a/])
        expect(await enqueued(tx, { data: { list } } as object)).toEqual([])
    })
  })

  test('stays short, however long the values are', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`field${n}`, 'y'.repeat(100)]))
    const error = await pglite.transaction(async (tx) => {
      await outbox.enqueue(tx, intents.track('u1', 'big', { text: 'x'.repeat(5_000) }))
      return failureOf(expectEnqueued(tx, { operation: 'track', data: { text: 'z', ...many } }))
    })
    expect(error.message.length).toBeLessThan(12_000)
    expect(error.message).toContain('more lines')
  })
})

describe('expectNothingEnqueued', () => {
  test('lists what was found', async () => {
    const error = await pglite.transaction(async (tx) => {
      await outbox.enqueue(
        tx,
        Array.from({ length: 12 }, (_, n) => intents.track(`u${n}`, 'step')),
      )
      await expectNothingEnqueued(tx, { operation: 'sendEmail' })
      return failureOf(expectNothingEnqueued(tx, { name: 'step' }))
    })
    const [head, ...lines] = error.message.split('\n')
    expect(head).toBe("Expected the transaction to have no intent like { name: 'step' }, got 12:")
    expect(lines).toHaveLength(11)
    expect(lines[0]).toContain("customerId: 'u0'")
    expect(lines[10]).toBe('  … 2 more')
  })
})

test('a Drizzle database over PGlite shows the queue, its transaction what it stored', async () => {
  const db = drizzle(pglite)
  await db.transaction(async (tx) => {
    await outbox.enqueue(tx, intents.track('u1', 'order_placed'))
    await expectEnqueued(tx, { name: 'order_placed' })
  })
  await db.transaction((tx) => expectNothingEnqueued(tx))
  await expectEnqueued(db, { name: 'order_placed' })
})
