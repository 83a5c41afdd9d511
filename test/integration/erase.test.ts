import { afterEach, beforeEach, expect, test } from 'vitest'
import { operate } from '../support/operate.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
let op: ReturnType<typeof operate>
beforeEach(async () => {
  h = await startHarness()
  op = operate(h)
})
afterEach(() => h.close())

/** Every row of the outbox that contains a text. */
async function rowsWith(text: string): Promise<string[]> {
  const tables = ['intents', 'dead_letters', 'delivered', 'archive', 'dedup', 'history', 'actions']
  const found = await Promise.all(
    tables.map(async (table) => {
      const rows = await h.db.rows(
        `SELECT t::text FROM outbox.${table} t WHERE strpos(lower(t::text), lower($1)) > 0`,
        [text],
      )
      return rows.length > 0 ? [table] : []
    }),
  )
  return found.flat()
}

test('erase removes a person from every table, by all identifiers, and leaves everybody else', async () => {
  const relay = await h.relay()
  await h.enqueue(track('jane', 1), track('bob', 1), email('bob', 1))
  await h.drained()
  await relay.stop()
  await op.deadLetters(track('jane', 2), track('bob', 2))
  await h.enqueueWith({ orderingKey: 'order:7' }, track('jane', 3))
  await h.enqueue(
    { operation: 'identify', identifiers: { email: 'Jane@Example.com' }, attributes: { note: 'x' } },
    { operation: 'mergeCustomers', primary: { id: 'bob' }, secondary: { id: 'jane' } },
    email('jane', 1),
    { operation: 'track', customerId: 'bob', name: 'step', data: { n: 9, rival: 'jane' } },
  )
  await h.db.transaction((tx) => h.outbox.enqueue(tx, track('jane', 4), { dedupKey: 'welcome-7' }))
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 3_600_000) }, track('jane', 5))

  const filter = { person: ['jane', 'jane@example.com'] }
  expect(await op.preview('erase', filter)).toMatchObject({ intents: '8' })
  const id = await op.apply('erase', filter, {}, 'ticket 77')
  await h.relay({ workspaces: { other: everyApi(h.fake) } })
  const { result, processed } = await op.ended(id)
  expect(processed).toBe('8')
  expect(result).toEqual({ intents: 6, dead_letters: 1, delivered: 1, archive: 0, dedup: 1, history: 0 })
  // What is left names jane as a value in the data of bob's event, not as a person.
  expect(await rowsWith('jane')).toEqual(['intents'])
  expect(await h.db.rows("SELECT ordering_key FROM outbox.intents WHERE payload::text ~ 'jane'")).toEqual([
    { ordering_key: 'bob' },
  ])
  const [receipt] = await h.db.rows<{ filter: { person: string[] } }>('SELECT filter FROM outbox.actions')
  expect(receipt?.filter.person).toEqual([
    expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  ])
})

test('erase removes a person from the archive, also where the ordering key is not the person’s', async () => {
  await h.relay({ workspaces: { default: { ...everyApi(h.fake), deliveredPayloads: 'keep' } } })
  await h.enqueue(track('jane', 1), track('bob', 1), email('jane', 1))
  await h.enqueueWith({ orderingKey: 'order:7' }, track('jane', 2), track('bob', 2))
  await h.enqueue({ operation: 'mergeCustomers', primary: { id: 'bob' }, secondary: { id: 'jane' } })
  await h.drained()
  const filter = { person: ['jane', 'jane@example.com'] }
  expect(await op.preview('erase', filter)).toMatchObject({ intents: '4' })
  const { result } = await op.ended(await op.apply('erase', filter))
  expect(result).toMatchObject({ archive: 4, delivered: 2 })
  expect(await rowsWith('jane')).toEqual([])
  const left = await h.db.rows('SELECT ordering_key FROM outbox.archive ORDER BY 1')
  expect(left).toEqual([{ ordering_key: 'bob' }, { ordering_key: 'order:7' }])
})

test('a destroy reaches Customer.io after everything of the person', async () => {
  h.fake.latencyMs = 500
  await h.relay()
  await h.enqueue(track('jane', 1))
  await h.fake.until(({ requests }) => requests.total === 1) // in flight
  await h.enqueue(track('jane', 2))
  const id = await op.apply('erase', { person: ['id:jane', 'jane@example.com'] }, { also: 'destroy' })
  const { result } = await op.ended(id)
  expect(result.enqueued).toHaveLength(2)
  await h.drained()
  const actions = h.fake.applied.map(({ personKey, action }) => `${personKey} ${action}`)
  expect(actions.filter((line) => line.startsWith('id:jane'))).toEqual(
    expect.arrayContaining(['id:jane event', 'id:jane delete']),
  )
  expect(actions.lastIndexOf('id:jane event')).toBeLessThan(actions.indexOf('id:jane delete'))
})

test('an earlier action that named the person does not name the person any more', async () => {
  await op.deadLetters(track('jane', 1))
  await h.relay()
  await op.ended(await op.apply('discard', { person: 'jane' }))
  await op.ended(await op.apply('erase', { person: 'jane' }))
  expect(await rowsWith('jane')).toEqual([])
})

test('odd identifiers are texts, not patterns', async () => {
  const odd = ['a.c', 'a*', '(a', 'a|b', 'a"b', 'a\\b', '%', '_', 'ä@ö.de', '42', '$']
  for (const customerId of [...odd, 'abc', 'a', 'b', '421'])
    await h.enqueueWith({ orderingKey: 'one' }, track(customerId, 1))
  await h.db.rows(`SELECT outbox.enqueue('track', '{"customerId": 42, "name": "n"}', ordering_key => 'one')`)
  await h.relay({ workspaces: { other: everyApi(h.fake) } })
  for (const person of odd) {
    const expected = person === '42' ? '2' : '1'
    expect([person, await op.preview('erase', { person: `id:${person}` })]).toMatchObject([
      person,
      { intents: expected },
    ])
    await op.ended(await op.apply('erase', { person: `id:${person}` }))
  }
  expect(await h.db.rows('SELECT count(*)::int AS n FROM outbox.intents')).toEqual([{ n: 4 }])
})

test('what an operator edited or discarded before names the person no more', async () => {
  const [edited = '', discarded = ''] = await op.deadLetters(track('jane', 1), track('jane', 2))
  await h.db.rows("UPDATE outbox.dead_letters SET message = 'jane is no name'")
  await h.db.rows('SELECT outbox.edit_dead_letter($1, $2)', [edited, { customerId: 'bob', name: 'step' }])
  await h.relay({ workspaces: { other: everyApi(h.fake) } })
  await op.ended(await op.apply('discard', { ids: [edited, discarded] }))
  expect(await rowsWith('jane')).toEqual(['history']) // the payload before the edit
  const { result } = await op.ended(await op.apply('erase', { person: 'jane' }))
  expect(result).toMatchObject({ dead_letters: 0, history: 1 })
  expect(await rowsWith('jane')).toEqual([])
})
