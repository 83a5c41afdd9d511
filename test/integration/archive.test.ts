/**
 * Each of these changes makes a test fail:
 * - no `archived` in settle.ts, or `archived` without the conditions on `is_dead` and `is_suppressed`;
 * - `payload` instead of `stored_payload`, or a conversion by `payload_of`;
 * - 'archive' is not in `PARTITIONED` (ensure-partitions.ts), or `make` of `Partitions` gets no days;
 * - no call of `ensurePartitions` in `updateWorkspaces`, or none of `prune_archive` in maintain.ts.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const keep = (deliveredPayloadDays?: number, more: object = {}) => ({
  workspaces: {
    default: {
      ...everyApi(h.fake),
      deliveredPayloads: 'keep' as const,
      ...(deliveredPayloadDays === undefined ? {} : { deliveredPayloadDays }),
      ...more,
    },
  },
})

interface Kept extends Record<string, unknown> {
  readonly id: string
  readonly drop_in: number
}

const kept = () =>
  h.db.rows<Kept>(
    `SELECT id, drop_on - (delivered_at AT TIME ZONE 'UTC')::date AS drop_in FROM outbox.archive ORDER BY seq, id`,
  )
const partitions = async () =>
  (
    await h.db.rows<{ name: string }>(
      `SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid
       WHERE inhparent = 'outbox.archive'::regclass ORDER BY 1`,
    )
  ).map(({ name }) => name)
const dropPartitions = async () => {
  for (const name of await partitions()) await h.db.rows(`DROP TABLE outbox.${name}`)
}

describe('deliveredPayloads', () => {
  test('drop, the default: nothing is kept, and no partition is made', async () => {
    await h.relay()
    await h.enqueue(track('u1', 1))
    await h.drained()
    expect(await h.db.rows('SELECT FROM outbox.archive')).toEqual([])
    expect(await partitions()).toEqual([])
  })

  test('keep: every delivered intent is kept as it was stored, for 30 days', async () => {
    const intents: Intent[] = [
      track('u1', 1),
      { operation: 'identify', customerId: 'u1', attributes: { plan: 'pro' } },
      { operation: 'addDevice', customerId: 'u1', deviceId: 'd1', platform: 'ios' },
      email('u2', 1),
    ]
    const ids = await h.enqueue(...intents)
    const columns =
      'id, destination, format, operation, name, payload::text AS payload, ordering_key, enqueued_at'
    const queued = await h.db.rows(`SELECT ${columns} FROM outbox.intents ORDER BY id`)
    await h.relay(keep())
    await h.drained()
    expect(await h.db.rows(`SELECT ${columns} FROM outbox.archive ORDER BY id`)).toEqual(queued)
    expect(await kept()).toEqual(expect.arrayContaining(ids.map((id) => ({ id, drop_in: 31 }))))
    expect(
      await h.db.rows('SELECT FROM outbox.delivered d JOIN outbox.archive a USING (id, delivered_at)'),
    ).toHaveLength(4)
  })

  test('neither dead letters nor intents that allowRecipients held back are kept', async () => {
    const oneLane = { orderingKey: 'one' } // so that one statement settles them all
    const [id] = await h.enqueueWith(oneLane, track('u1', 1), track('u2', 1))
    await h.db.rows(
      `SELECT outbox.enqueue('track', '{"customerId": "u1", "name": "n", "data": 5}', ordering_key => 'one')`,
    )
    await h.relay(keep(5, { allowRecipients: ['u1'] }))
    await h.drained()
    expect(await kept()).toEqual([{ id, drop_in: 6 }])
    expect(await h.db.rows('SELECT reason FROM outbox.dead_letters')).toEqual([{ reason: 'invalid' }])
    expect(await h.db.rows('SELECT outcome FROM outbox.delivered ORDER BY 1')).toEqual([
      { outcome: 'delivered' },
      { outcome: 'suppressed_by_config' },
    ])
  })

  test('a change is applied to the next settlement, with its own number of days', async () => {
    const relay = await h.relay()
    const deliver = async (n: number) => {
      await h.enqueue(track('u1', n))
      await h.drained()
    }
    await deliver(1)
    await relay.updateWorkspaces(keep(3).workspaces)
    expect(await partitions()).toHaveLength(3) // before the first settlement needs one
    await deliver(2)
    await relay.updateWorkspaces(keep(10).workspaces)
    await deliver(3)
    await relay.updateWorkspaces({ default: everyApi(h.fake) })
    await deliver(4)
    expect((await kept()).map(({ drop_in }) => drop_in)).toEqual([4, 11])
  })
})

describe('partitions of the archive', () => {
  test('a settlement that finds none creates it, and no intent is sent twice', async () => {
    const errors: string[] = []
    const relay = await h.relay(keep(7))
    relay.on('error', ({ message }) => errors.push(message))
    await dropPartitions()
    await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`p${n}`, n)))
    await h.drained(5_000)
    expect(await kept()).toHaveLength(40)
    expect(h.fake.counts).toMatchObject({ applied: 40, duplicates: 0 })
    expect(errors).toEqual([])
  })

  test('are dropped on their day, and not before', async () => {
    const day = async (n: number) =>
      (
        await h.db.rows<{ day: string }>(`SELECT ((now() AT TIME ZONE 'UTC')::date + $1::int)::text AS day`, [
          n,
        ])
      )[0]?.day ?? ''
    const names: string[] = []
    for (const n of [-1, 0, 1]) {
      const name = `archive_${(await day(n)).replaceAll('-', '')}`
      await h.db.rows(
        `CREATE TABLE outbox.${name} PARTITION OF outbox.archive FOR VALUES FROM ('${await day(n)}') TO ('${await day(n + 1)}')`,
      )
      names.push(name)
    }
    await h.relay()
    expect(await partitions()).toEqual(names.slice(2))
  })

  test('are days up to 92 days, and months above, however long payloads are kept', async () => {
    const days = Array.from({ length: 3_653 }, (_, n) => n + 1)
    const rows = await h.db.rows<{ shortest: number; longest: number; different: number; monthly: boolean }>(
      `SELECT min(late) AS shortest, max(late) AS longest, count(DISTINCT drop_on)::int AS different,
              bool_and(extract(day FROM drop_on) = 1) AS monthly
       FROM unnest($1::int[]) AS days, LATERAL (SELECT outbox.archive_drop_on('2026-01-31T23:59:59Z', days) AS drop_on) a,
         LATERAL (SELECT drop_on - date '2026-01-31' - days AS late) l
       GROUP BY days > 92 ORDER BY 1, 2`,
      [days],
    )
    expect(rows).toEqual([
      { shortest: 1, longest: 1, different: 92, monthly: false },
      { shortest: 1, longest: 31, different: 118, monthly: true },
    ])
  })

  test('cannot be made for an absurd number of days', async () => {
    for (const days of [[0], [3_654], Array.from({ length: 1_001 }, () => 1)])
      await expect(h.db.rows('SELECT outbox.ensure_partitions($1)', [days])).rejects.toThrow(
        'payload_days must be',
      )
  })

  test('are searched by a person through their BRIN index once a relay has summarized them', async () => {
    await h.db.rows("SELECT outbox.ensure_partitions('{7}')")
    await h.db.rows(
      `INSERT INTO outbox.archive SELECT gen_random_uuid(), 'default/track', n, 2, 'track', 'n', '{}', 'u' || n, 'park', now(), now(),
         outbox.archive_drop_on(now(), 7) FROM generate_series(1, 12000) n`,
    )
    const summarized = () =>
      h.db.rows<{ n: number }>('SELECT outbox.summarize_delivered() AS n').then(([row]) => row?.n ?? 0)
    expect(await summarized()).toBeGreaterThan(0)
    expect(await summarized()).toBe(0)
  })
})
