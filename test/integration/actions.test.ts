import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import type { Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { operate } from '../support/operate.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
let op: ReturnType<typeof operate>
beforeEach(async () => {
  h = await startHarness()
  op = operate(h)
})
afterEach(() => h.close())

const identify = (customerId: string, plan: string): Intent => ({
  operation: 'identify',
  customerId,
  attributes: { plan },
})
const count = async (table: string) =>
  (await h.db.rows<{ n: number }>(`SELECT count(*)::int AS n FROM outbox.${table}`))[0]?.n

/** The steps that the fake got for a person, in order. */
const stepsOf = (person: string) =>
  h.fake.applied.filter((o) => o.personKey === `id:${person}`).map((o) => stepOf(o.body))

describe('redrive', () => {
  test('a relay sends the chosen dead letters once, in order per person, with their ids', async () => {
    const steps = Array.from({ length: 30 }, (_, n) => track(`u${n % 3}`, n))
    const ids = await op.deadLetters(...steps)
    const [other] = await op.deadLetters(identify('u9', 'pro'))
    const filter = { operation: 'track', reason: 'rejected', name: 'step', status: 400, message: 'BAD' }
    expect(await op.preview('redrive', filter)).toMatchObject({
      intents: '30',
      people: '3',
      stale_identifies: '0',
    })
    const id = await op.apply('redrive', filter, {}, 'the app is corrected')
    expect(await op.status(id)).toMatchObject({
      state: 'queued',
      kind: 'redrive',
      total: '30',
      requested_by: 'postgres',
      reason: 'the app is corrected',
      waiting: 'no relay is running',
    })
    await h.relay()
    expect(await op.ended(id)).toMatchObject({ processed: '30', waiting: null, error: null })
    await h.drained()
    expect(h.fake.counts).toMatchObject({ applied: 30, duplicates: 0 })
    for (const person of ['u0', 'u1', 'u2']) {
      const inOrder = steps.map(stepOfIntent).filter((n) => `u${n % 3}` === person)
      expect(stepsOf(person)).toEqual(inOrder)
    }
    expect(new Set(h.fake.applied.map(({ ulid }) => ulid))).toEqual(new Set(ids.map(toUlid)))
    expect(await h.db.rows('SELECT id FROM outbox.dead_letters')).toEqual([{ id: other }])
    expect(await h.db.rows('SELECT DISTINCT event, detail, action_id FROM outbox.history')).toEqual([
      { event: 'redriven', detail: 'rejected 400', action_id: id },
    ])
  })

  test('an identify keeps the time of its write, or gets a new one with restamp; the preview counts stale ones', async () => {
    const [first = '', second = ''] = await op.deadLetters(identify('u1', 'old'), identify('u2', 'old'))
    await h.db.rows("UPDATE outbox.dead_letters SET enqueued_at = enqueued_at - interval '2 hours'")
    const before = Math.floor(Date.now() / 1000) - 7_000
    await h.relay()
    await h.enqueue(identify('u1', 'new'))
    await h.drained()
    expect(await op.preview('redrive', { operation: 'identify' })).toMatchObject({ stale_identifies: '1' })
    await op.ended(await op.apply('redrive', { ids: [first] }))
    await op.ended(await op.apply('redrive', { ids: [toUlid(second)] }, { restamp: true }))
    await h.fake.until(({ counts }) => counts.applied === 3)
    const [, kept, restamped] = h.fake.applied
    expect(kept).toMatchObject({ personKey: 'id:u1' })
    expect(kept?.timestamp).toBeLessThan(before)
    expect(restamped).toMatchObject({ personKey: 'id:u2' })
    expect(restamped?.timestamp).toBeGreaterThan(before)
  })

  test('an expiry that has passed is removed, because the operator wants the intent sent', async () => {
    await op.deadLetters(track('u1', 1))
    await h.db.rows(
      "UPDATE outbox.dead_letters SET reason = 'expired', expires_at = now() - interval '1 hour'",
    )
    await h.relay()
    await op.ended(await op.apply('redrive', { reason: 'expired' }))
    await h.drained()
    expect(h.fake.counts.applied).toBe(1)
  })

  test('a relay is killed while it redrives: another one continues, and no intent is lost or sent twice', async () => {
    const people = 40
    const intents = Array.from({ length: 12_000 }, (_, n) => track(`u${n % people}`, n))
    await op.deadLetters(...intents)
    const id = await op.apply('redrive', { operation: 'track' }, { rate: 4_000 })
    const killed = await h.relayProcess({ pollIntervalMs: 50 })
    await eventually('the first chunk', async () => (await op.status(id)).processed !== '0')
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    expect(await op.status(id)).toMatchObject({ state: 'running' })
    await h.relay({ pollIntervalMs: 50 })
    expect(await op.ended(id, 'done', 40_000)).toMatchObject({ processed: '12000' })
    await h.drained(30_000)
    expect(h.fake.counts.applied).toBe(12_000) // what the killed relay had not settled is sent again, and dropped by its id
    expect(await count('dead_letters')).toBe(0)
    for (let n = 0; n < people; n += 7) {
      const steps = stepsOf(`u${n}`)
      expect(steps).toEqual([...steps].sort((a, b) => (a ?? 0) - (b ?? 0)))
    }
  })
})

const stepOfIntent = (intent: Intent) => ('data' in intent ? ((intent.data as { n: number }).n ?? 0) : 0)

describe('apply', () => {
  test('refuses a plan whose set has changed, a plan of other options, and a set that is empty', async () => {
    await op.deadLetters(track('u1', 1))
    const filter = { reason: 'rejected' }
    const { plan } = await op.preview('redrive', filter)
    const given = (options: object, of = plan) =>
      h.db.rows('SELECT outbox.apply($1, $2, $3, NULL, $4)', ['redrive', filter, of, options])
    await expect(given({ restamp: true })).rejects.toThrow(`plan '${plan}' is not that of this filter`)
    await op.deadLetters(track('u2', 1))
    await expect(given({})).rejects.toThrow('it matches 2 intents now')
    await expect(op.apply('redrive', { reason: 'exhausted' })).rejects.toThrow('the filter matches no intent')
    expect(await count('actions')).toBe(0)
  })

  test('rolls back with the transaction that called it', async () => {
    await op.deadLetters(track('u1', 1))
    const { plan } = await op.preview('discard', { reason: 'rejected' })
    const tx = await h.db.begin()
    await tx.query('SELECT outbox.apply($1, $2, $3)', ['discard', { reason: 'rejected' }, plan])
    await tx.query('ROLLBACK')
    tx.release()
    expect(await count('actions')).toBe(0)
  })
})

describe('discard', () => {
  test('deletes the chosen dead letters, with a line in the history; letters that die later stay', async () => {
    const [old = ''] = await op.deadLetters(track('u1', 1))
    const id = await op.apply('discard', { person: 'u1' }, {}, 'test data')
    const [late] = await op.deadLetters(track('u1', 2))
    await h.relay()
    expect(await op.ended(id)).toMatchObject({ processed: '1' })
    expect(await h.db.rows('SELECT id FROM outbox.dead_letters')).toEqual([{ id: late }])
    const found = await h.db.rows<{ event: string }>('SELECT event, detail FROM outbox.find($1)', [old])
    expect(found).toEqual([{ event: 'discarded', detail: 'rejected 400; by postgres; test data' }])
    expect(h.fake.counts.applied).toBe(0)
  })
})

describe('cancel of pending intents', () => {
  test('removes those that match, scheduled ones too; others are delivered', async () => {
    await h.enqueueWith({ sendAfter: new Date(Date.now() + 3_600_000) }, track('u1', 1))
    await h.enqueue(track('u1', 2), track('u2', 1), identify('u1', 'pro'))
    const id = await op.apply('cancel', { person: 'u1', operation: 'track' })
    await h.relay({ workspaces: { other: everyApi(h.fake) } }) // carries out actions, and delivers nothing
    expect(await op.ended(id)).toMatchObject({ processed: '2', total: '2' })
    await h.relay()
    await h.drained()
    expect(h.fake.applied.map(({ personKey, action }) => `${personKey} ${action}`).sort()).toEqual([
      'id:u1 identify',
      'id:u2 event',
    ])
    expect(await count('intents')).toBe(0)
  })

  test('leaves an intent alone whose request may be in flight', async () => {
    const [id = ''] = await h.enqueue(track('u1', 1))
    await h.db.rows('UPDATE outbox.intents SET sending_at = now()')
    expect(await op.preview('cancel', { ids: [id] })).toMatchObject({ intents: '0' })
  })
})

describe('reschedule', () => {
  test('moves pending intents to a later time, and scheduled ones to now, in their order', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString()
    await h.enqueue(track('u1', 1), track('u1', 2), track('u2', 1))
    const later = await op.apply('reschedule', { person: 'u1' }, { at })
    await h.relay({ workspaces: { other: everyApi(h.fake) } })
    expect(await op.ended(later)).toMatchObject({ processed: '2' })
    await h.relay()
    await h.drained()
    expect(h.fake.applied.map(({ personKey }) => personKey)).toEqual(['id:u2'])
    const now = await op.apply('reschedule', { person: 'u1' }, { at: new Date().toISOString() })
    expect(await op.ended(now)).toMatchObject({ processed: '2' })
    await h.fake.until(({ counts }) => counts.applied === 3)
    expect(stepsOf('u1')).toEqual([1, 2])
  })
})

describe('an action', () => {
  test('that is cancelled ends after its chunk; what it did stays done', async () => {
    await op.deadLetters(...Array.from({ length: 6_000 }, (_, n) => track(`u${n}`, 1)))
    const id = await op.apply('discard', { operation: 'track' }, { rate: 1 })
    await h.relay({ pollIntervalMs: 50 })
    await eventually('the first chunk', async () => (await op.status(id)).processed === '1')
    expect(await h.db.rows('SELECT outbox.cancel($1) AS cancelled', [id])).toEqual([{ cancelled: true }])
    expect(await h.db.rows('SELECT outbox.cancel($1) AS cancelled', [id])).toEqual([{ cancelled: false }])
    expect(await op.status(id)).toMatchObject({ state: 'cancelled', processed: '1', total: '6000' })
    expect(await count('dead_letters')).toBe(5_999)
  })

  test('whose chunk fails is tried again; after five failures it ends with the error', async () => {
    const errors: string[] = []
    await op.deadLetters(track('u1', 1))
    await h.db.rows(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
      CREATE TRIGGER refuse BEFORE DELETE ON outbox.dead_letters FOR EACH ROW EXECUTE FUNCTION refuse()`)
    const id = await op.apply('discard', { person: 'u1' })
    const relay = await h.relay({ pollIntervalMs: 50 })
    relay.on('error', ({ message }) => errors.push(message))
    expect(await op.ended(id, 'failed', 20_000)).toMatchObject({ processed: '0', error: 'not now' })
    expect(errors.filter((message) => message === 'not now')).toHaveLength(5)
    expect(await count('dead_letters')).toBe(1)
  })

  test('that does not exist cannot be cancelled', async () => {
    await expect(h.db.rows("SELECT outbox.cancel('01a20a1d-5e19-71c8-ae3c-9274b2d19327')")).rejects.toThrow(
      'there is no action',
    )
  })
})
