/**
 * Each of these changes makes a test fail:
 * - in `run_replay`: a new id, `clock_timestamp()` as `enqueued_at`, no condition on `delivered_at`, another order than `seq`;
 * - in `run_replay`: the stored wire text with `restamp`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import type { Intent } from '../../src/index.ts'
import { operate } from '../support/operate.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
let op: ReturnType<typeof operate>
beforeEach(async () => {
  h = await startHarness()
  op = operate(h)
})
afterEach(() => h.close())

const keep = () => ({ workspaces: { default: { ...everyApi(h.fake), deliveredPayloads: 'keep' as const } } })
const identify = (customerId: string, plan: string): Intent => ({
  operation: 'identify',
  customerId,
  attributes: { plan },
})
const archived = () =>
  h.db.rows<{ id: string; enqueued_at: Date }>(
    'SELECT id, enqueued_at FROM outbox.archive ORDER BY enqueued_at, id',
  )

/** A new fake with the same keys: an account that has lost everything. */
async function afterLoss(work: (fresh: Harness['fake']) => Promise<void>): Promise<void> {
  const { startFakeCustomerIo } = await import('../../src/testing/index.ts')
  const fresh = await startFakeCustomerIo()
  try {
    await work(fresh)
  } finally {
    await fresh.close()
  }
}

test('replay sends delivered intents again with their ids and times, in order per person, and keeps each once', async () => {
  const steps = Array.from({ length: 60 }, (_, n) => track(`u${n % 4}`, n))
  const first = await h.relay(keep())
  const ids = await h.enqueue(...steps, identify('u1', 'pro'))
  await h.drained()
  const before = await archived()
  expect(before.map(({ id }) => id).sort()).toEqual([...ids].sort())
  await first.stop()

  await afterLoss(async (fresh) => {
    expect(await op.preview('replay', { workspace: 'default' })).toMatchObject({ intents: '61', people: '4' })
    const id = await op.apply('replay', { workspace: 'default' }, {}, 'the workspace was restored')
    await h.relay({ workspaces: { default: { ...everyApi(fresh), deliveredPayloads: 'keep' } } })
    expect(await op.ended(id)).toMatchObject({ processed: '61' })
    await h.drained()
    expect(fresh.counts).toMatchObject({ applied: 61, duplicates: 0 })
    for (const person of ['u0', 'u1', 'u2', 'u3']) {
      const sent = fresh.applied.filter((o) => o.personKey === `id:${person}` && o.action === 'event')
      expect(sent.map(({ body }) => stepOf(body))).toEqual(
        steps.map((_, n) => n).filter((n) => `u${n % 4}` === person),
      )
    }
    const sentTo = (fake: Harness['fake']) =>
      fake.applied
        .map(({ personKey, action, ulid, timestamp }) => ({ personKey, action, ulid, timestamp }))
        .sort(byUlid)
    expect(sentTo(fresh)).toEqual(sentTo(h.fake))
    expect(fresh.applied.flatMap(({ ulid }) => ulid ?? []).sort()).toEqual(
      ids.slice(0, 60).map(toUlid).sort(),
    )
    expect(await archived()).toEqual(before)
    expect(await h.db.rows('SELECT event, count(*)::int AS n FROM outbox.history GROUP BY 1')).toEqual([
      { event: 'replayed', n: 61 },
    ])
  })
})

const byUlid = (a: { ulid: string | undefined }, b: { ulid: string | undefined }) =>
  (a.ulid ?? '').localeCompare(b.ulid ?? '')

test('an identify of the past does not overwrite a newer one; with restamp it does, and the preview says so', async () => {
  await h.relay(keep())
  const [old = ''] = await h.enqueue(identify('u1', 'old'))
  await h.drained()
  await h.db.rows("UPDATE outbox.archive SET enqueued_at = enqueued_at - interval '1 hour'")
  await h.db.rows(`UPDATE outbox.archive SET payload = regexp_replace(payload::text, '"timestamp":\\d+',
    '"timestamp":' || floor(extract(epoch FROM enqueued_at)))::json`)
  await h.enqueue(identify('u1', 'new'))
  await h.drained()
  const plan = () => h.fake.person({ id: 'u1' })?.attributes.plan
  expect(await op.preview('replay', { ids: [old] })).toMatchObject({ intents: '1', stale_identifies: '1' })
  await op.ended(await op.apply('replay', { ids: [old] }))
  await h.fake.until(({ counts }) => counts.applied === 3)
  expect(plan()).toBe('new')
  await h.drained()
  await op.ended(await op.apply('replay', { ids: [old] }, { restamp: true }))
  await h.fake.until(({ counts }) => counts.applied === 4)
  expect(plan()).toBe('old')
})

test('a replay of several chunks does not take up again what its first chunk has delivered', async () => {
  await h.db.rows("SELECT outbox.ensure_partitions('{30}')")
  await h.db.rows(
    `INSERT INTO outbox.archive
     SELECT outbox.new_id(), 'default/track', n, 1, 'track', 'n', '{"customerId": "u1", "name": "n"}', 'u' || n, 'park', now(), now(),
            outbox.archive_drop_on(now(), 30)
     FROM generate_series(1, 6000) n`,
  )
  const id = await op.apply('replay', { name: 'n' }, { rate: 800 })
  await h.relay(keep())
  expect(await op.ended(id, 'done', 40_000)).toMatchObject({ processed: '6000' })
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 6_000, duplicates: 0 })
  expect(await archived()).toHaveLength(6_000)
})

test('since and until are times of delivery', async () => {
  await h.relay(keep())
  const ids = await h.enqueue(track('u1', 1), track('u2', 2), track('u3', 3))
  await h.drained()
  for (const [n, id] of ids.entries())
    await h.db.rows('UPDATE outbox.archive SET delivered_at = $2 WHERE id = $1', [
      id,
      `2026-01-0${n + 1}T12:00:00Z`,
    ])
  const filter = { since: '2026-01-02T12:00:00Z', until: '2026-01-03T12:00:00Z' }
  expect(await op.preview('replay', filter)).toMatchObject({ intents: '1' })
  await op.ended(await op.apply('replay', filter))
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 3, duplicates: 1 }) // Customer.io drops the second request by the event's id
  const again = await h.db.rows('SELECT ordering_key FROM outbox.archive WHERE delivered_at > $1', [
    '2026-02-01Z',
  ])
  expect(again).toEqual([{ ordering_key: 'u2' }])
})

test('an operation without an id, such as a device, is sent again in its stored form', async () => {
  await h.relay(keep())
  await h.enqueue({
    operation: 'addDevice',
    customerId: 'u1',
    deviceId: 'd1',
    platform: 'ios',
    data: { last_used: 5 },
  })
  await h.drained()
  await op.ended(await op.apply('replay', { person: 'u1' }))
  await h.fake.until(({ counts }) => counts.applied === 2)
  const [first, second] = h.fake.applied
  expect(second?.body).toEqual(first?.body)
})

test('a workspace that keeps no payloads has nothing to replay, and the error says why', async () => {
  await h.relay()
  await h.enqueue(track('u1', 1))
  await h.drained()
  await expect(op.apply('replay', { person: 'u1' })).rejects.toMatchObject({
    message: 'outbox: replay: the filter matches no intent whose payload is kept',
    hint: expect.stringContaining('deliveredPayloads "keep"'),
  })
})
