import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import { operate } from '../support/operate.ts'
import { email, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

interface Found {
  readonly id: string
  readonly event: string
  readonly name: string | null
  readonly detail: string | null
  readonly ordering_key: string
}

const find = (what: string) =>
  h.db.rows<Found & Record<string, unknown>>('SELECT * FROM outbox.find($1)', [what])

describe('find', () => {
  test('by person, id, ULID, dedup key and delivery id: what was enqueued, and when it was delivered', async () => {
    await h.relay()
    const id = await h.db.transaction(async (tx) => {
      const { id } = await h.outbox.enqueue(tx, track('u1', 1), { dedupKey: 'order:7' })
      return id ?? ''
    })
    const [message = ''] = await h.enqueue(email('u2', 1))
    await h.drained()
    for (const what of ['u1', 'id:u1', id, id.toUpperCase(), toUlid(id), 'order:7'])
      expect(await find(what)).toMatchObject([
        { id, event: 'enqueued', name: 'step', ordering_key: 'u1' },
        { id, event: 'delivered', name: 'step' },
      ])
    const [, delivered] = await find(message)
    expect(delivered).toMatchObject({ event: 'delivered', name: '1' })
    const deliveryId = delivered?.detail?.split(' ').at(-1) ?? ''
    expect((await find(deliveryId)).map(({ id }) => id)).toEqual([message, message])
  })

  test('by email, in any case', async () => {
    await h.enqueue({ operation: 'identify', identifiers: { email: 'Jane@Example.com' } })
    expect(await find('JANE@example.COM')).toMatchObject([{ event: 'enqueued' }, { event: 'pending' }])
  })

  test('says why an intent waits: no relay, the breaker, the time, and the intent before it', async () => {
    const [first = ''] = await h.enqueue(track('u1', 1), track('u1', 2))
    await h.enqueueWith({ sendAfter: new Date('2030-01-02T03:04:05Z') }, track('u1', 3))
    const [relay] = [
      await h.relay({
        workspaces: { default: { siteId: 's', trackApiKey: 'k', trackUrl: 'http://127.0.0.1:9' } },
      }),
    ]
    await relay.stop()
    await h.db.rows("SELECT outbox.pause('default/track', 'wrong template')")
    const details = (await find('u1')).filter(({ event }) => event !== 'enqueued')
    expect(details.map(({ event }) => event).sort()).toEqual(['pending', 'pending', 'scheduled'])
    const text = details.map(({ detail }) => detail).join('\n')
    expect(text).toContain('scheduled for 2030-01-02')
    expect(text).toContain('no relay is running')
    expect(text).toContain('the breaker of default/track is paused: paused by postgres: wrong template')
    expect(text).toContain(`waits behind ${first} of the same key`)
    expect(text).toMatch(/\b1 intents are before it in lane \d+/)
  })

  test('says why an intent died, and what operators did to it', async () => {
    const op = operate(h)
    const [id = ''] = await op.deadLetters(track('u1', 1))
    await h.db.rows("SELECT outbox.edit_dead_letter($1, $2, 'wrong name')", [
      id,
      { customerId: 'u1', name: 'right', data: { n: 1 } },
    ])
    expect(await find('u1')).toMatchObject([
      { event: 'enqueued', name: 'right' },
      { event: 'dead', detail: 'rejected: 400 bad name' },
      { event: 'edited', detail: 'wrong name; by postgres' },
    ])
    await h.relay()
    await op.ended(await op.apply('redrive', { ids: [id] }))
    await h.drained()
    expect((await find(id)).map(({ event }) => event)).toEqual([
      'enqueued',
      'edited',
      'redriven',
      'delivered',
    ])
    expect(h.fake.applied[0]).toMatchObject({ name: 'right' })
  })

  test('finds nothing for a text that names nothing, and refuses an empty one', async () => {
    expect(await find('nobody')).toEqual([])
    await expect(find(' ')).rejects.toThrow('find needs a person, an id, a dedup key or a delivery id')
  })
})

describe('edit_dead_letter', () => {
  test('checks the payload as enqueue does, and keeps the old one in the history', async () => {
    const op = operate(h)
    const [id = ''] = await op.deadLetters(track('u1', 1))
    const edit = (payload: object | null) =>
      h.db.rows('SELECT outbox.edit_dead_letter($1, $2)', [id, payload])
    await expect(edit({ name: 'nobody' })).rejects.toThrow('the payload names no person')
    await expect(edit(null)).rejects.toThrow('payload must be a JSON object')
    await edit({ customerId: 'u2', name: 'step' })
    expect(await h.db.rows('SELECT ordering_key, payload FROM outbox.dead_letters')).toEqual([
      { ordering_key: 'u2', payload: { customerId: 'u2', name: 'step' } },
    ])
    expect(await h.db.rows('SELECT payload, by_user FROM outbox.history')).toEqual([
      { payload: { customerId: 'u1', name: 'step', data: { n: 1 } }, by_user: 'postgres' },
    ])
    await expect(
      h.db.rows("SELECT outbox.edit_dead_letter('01a20a1d-5e19-71c8-ae3c-9274b2d19327', '{}')"),
    ).rejects.toThrow('there is no dead letter')
  })
})

test('list_dead_letters gives pages, the newest first', async () => {
  const op = operate(h)
  const ids = await op.deadLetters(...Array.from({ length: 5 }, (_, n) => track(`u${n}`, n)))
  const page = (at: unknown, id: unknown) =>
    h.db.rows<{ id: string; at: string }>(
      "SELECT id, dead_at::text AS at FROM outbox.list_dead_letters('{}', $1, $2, 2)",
      [at, id],
    )
  const seen: string[] = []
  for (let last: { id: string; at: string } | undefined; ; ) {
    const rows: { id: string; at: string }[] = await page(last?.at ?? null, last?.id ?? null)
    seen.push(...rows.map(({ id }) => id))
    last = rows.at(-1)
    if (rows.length < 2) break
  }
  expect(seen).toHaveLength(5)
  expect(new Set(seen)).toEqual(new Set(ids))
  const of = await h.db.rows(`SELECT id FROM outbox.list_dead_letters('{"person": ["u1", "u3"]}')`)
  expect(of).toHaveLength(2)
})
