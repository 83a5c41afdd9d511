import { expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../../src/index.ts'
import type { Bench } from './bench.ts'

/** Values that a driver, a cast or a JSON encoder could change. */
const HARD_JSON = {
  unicode: 'Zoë 👩‍👩‍👧 漢字 \u2028 \u{10FFFF} é',
  quotes: `"double" 'single' \\ back \\\\ $1 $2 :name ? \\? ?? {{liquid}} $$ \${value} \n\t\r\b\f`,
  looksLikeJson: '{"a":1}',
  looksLikeAString: '"text"',
  looksLikeNull: 'null',
  looksLikeArray: '{1,2}',
  looksLikeADate: '2033-02-28T23:59:59.123Z',
  numbers: [0, -1, 1.5, 1e21, 1.7976931348623157e308, 5e-324, 9007199254740991, 0.1],
  nested: { deep: [{ deeper: [[], {}, [null, true, false]] }] },
  empty: {},
  emptyArray: [],
  '': 'empty name',
  'name with "quotes" and \\ and $1 and ?': 1,
  nothing: null,
}
const hard = (customerId: string): Intent => ({
  operation: 'track',
  customerId,
  name: 'hard',
  data: HARD_JSON,
})
const person = (customerId: string): Intent => ({ operation: 'identify', customerId })

/** What is stored is what was given. */
export function stores(bench: () => Bench): void {
  const outbox = createOutbox()

  test('an intent is stored unchanged, with the returned id', async () => {
    const result = await bench().library.transaction(({ tx }) => outbox.enqueue(tx, hard('single')))
    const [row] = await bench().intents('single')
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
    const results = await bench().library.transaction(({ tx }) => outbox.enqueue(tx, intents))
    const rows = await bench().intents('many')
    expect(results).toEqual(rows.map(({ id }) => ({ id, duplicate: false })))
    expect(
      rows.map(({ operation, payload }) => ({ operation, ...JSON.parse(String(payload)) })),
    ).toStrictEqual(intents)
  })

  test('intents that are not stored as wire text are stored unchanged', async () => {
    const message = { to: 'a@example.com', identifiers: { id: 'other' }, transactional_message_id: "it's ?" }
    const intents: Intent[] = [{ operation: 'sendEmail', message }, person('other')]
    const [one, many] = await bench().library.transaction(
      async ({ tx }) =>
        [
          await outbox.enqueue(tx, { operation: 'sendEmail', message }, { orderingKey: 'other' }),
          await outbox.enqueue(tx, intents, { orderingKey: 'other' }),
        ] as const,
    )
    const rows = await bench().intents('other')
    expect(rows.map(({ id }) => id)).toEqual([one.id, ...many.map(({ id }) => id)])
    expect(rows.map(({ payload }) => JSON.parse(String(payload)))).toEqual([
      { message },
      { message },
      { customerId: 'other' },
    ])
  })

  test('an empty array stores nothing', async () => {
    expect(await bench().library.transaction(({ tx }) => outbox.enqueue(tx, []))).toEqual([])
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
    await bench().library.transaction(async ({ tx }) => {
      await outbox.enqueue(tx, person('dates'), options)
      await outbox.enqueue(tx, [person('dates')], options)
    })
    const rows = await bench().intents(`dates ${name}`)
    expect(rows.map((row) => [Number(row.send_after), Number(row.expires_at), row.lane])).toEqual([
      [sendAfter.getTime(), expiresAt.getTime(), -1],
      [sendAfter.getTime(), expiresAt.getTime(), -1],
    ])
  })

  test('every option is stored', async () => {
    const options = {
      orderingKey: 'options',
      workspace: 'eu-1',
      priority: 'bulk',
      onAmbiguous: 'resend',
    } as const
    await bench().library.transaction(async ({ tx }) => {
      await outbox.enqueue(tx, person('x'), options)
      await outbox.enqueue(tx, [person('x')], options)
    })
    const rows = await bench().intents('options')
    expect(rows).toHaveLength(2)
    for (const row of rows) {
      expect(row).toMatchObject({ destination: 'eu-1/track', priority: 'bulk', on_ambiguous: 'resend' })
      expect(Number(row.lane)).toBeGreaterThanOrEqual(16)
    }
  })

  test('a used dedup key returns the id of the first intent, for one intent and for an array', async () => {
    const dedupKey = `ключ "1"`
    const { transaction } = bench().library
    const enqueueOne = () =>
      transaction(({ tx }) => outbox.enqueue(tx, person('dedup'), { dedupKey, dedupWindowSeconds: 60.5 }))
    const enqueueArray = () =>
      transaction(({ tx }) => outbox.enqueue(tx, [person('dedup')], { dedupKey: () => dedupKey }))
    const first = await enqueueOne()
    expect(first.duplicate).toBe(false)
    expect(await enqueueOne()).toEqual({ id: first.id, duplicate: true })
    expect(await enqueueArray()).toEqual([{ id: first.id, duplicate: true }])
    expect(await bench().intents('dedup')).toHaveLength(1)
  })
}
