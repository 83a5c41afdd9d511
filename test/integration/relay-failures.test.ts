import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const states = async () =>
  (
    await h.db.rows<{ to_state: string }>('SELECT to_state FROM outbox.breaker_transitions ORDER BY ordinal')
  ).map(({ to_state }) => to_state)
const dead = () =>
  h.db.rows<{ reason: string; status: number; field: string; message: string; n: number }>(
    "SELECT reason, status, field, message, (payload #>> '{data,n}')::int AS n FROM outbox.dead_letters ORDER BY seq",
  )

test('a reset after Customer.io applied the batch: the retry has the same ids and bodies and is applied once', async () => {
  h.fake.misbehave({ kind: 'reset', after: 'apply', times: 1 })
  await h.enqueue(...[1, 2, 3].map((n) => track('u1', n)))
  await h.relay()
  await h.drained()
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([1, 2, 3])
  expect(h.fake.duplicates).toHaveLength(3)
  expect(h.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
})

test('a gateway answers 404 to everything: the breaker opens, no intent becomes a dead letter', async () => {
  await h.relay()
  const recover = h.fake.misbehave({ kind: 'html', status: 404 })
  await h.enqueue(...Array.from({ length: 50 }, (_, n) => track(`u${n % 7}`, n)))
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  expect(await dead()).toEqual([])
  recover()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 50, outOfOrder: 0 })
})

test('the pause of an operator during a probe stays in force, also without a notification', async () => {
  await h.relay({ pollIntervalMs: 100 })
  const recover = h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n % 7}`, n)))
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  recover()
  const slow = h.fake.misbehave({ kind: 'latency', ms: 400 })
  await eventually('two successful probes', () => h.fake.counts.applied >= 2)
  await h.db.rows(
    `UPDATE outbox.breakers SET state = 'paused', retry_at = NULL, probe_relay = NULL, probe_until = NULL`,
  )
  slow()
  // A third probe may be in flight. It finishes, and nothing is sent after it.
  await eventually('the relay to read the pause', async () => {
    const [flag] = await h.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.notify_flag')
    return flag?.last_value === '2'
  })
  expect(h.fake.counts.applied).toBeLessThanOrEqual(3)
  expect((await h.db.rows('SELECT state FROM outbox.breaker_state'))[0]).toEqual({ state: 'paused' })
  await h.db.rows('UPDATE outbox.breakers SET retry_at = now()')
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 200, outOfOrder: 0 })
})

test('a reader of outbox.delivered at midnight blocks neither maintenance nor the relay', async () => {
  await h.relay()
  await h.db.rows(`DO $$ DECLARE p text; BEGIN
    SELECT max(relname) INTO p FROM pg_class WHERE relname ~ '^delivered_[0-9]{8}$';
    EXECUTE format('DROP TABLE outbox.%I', p); END $$`)
  const reader = await h.db.begin()
  await reader.query('SELECT count(*) FROM outbox.delivered')
  await h.db.rows('SELECT outbox.ensure_partitions()')
  await h.enqueue(track('u1', 1))
  await h.drained(5_000)
  const partitions = await h.db.rows(
    "SELECT 1 FROM pg_inherits WHERE inhparent = 'outbox.delivered'::regclass",
  )
  expect(partitions).toHaveLength(3)
  await reader.query('ROLLBACK')
  reader.release()
})
