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

test('an outage opens the breaker, keeps the backlog, charges no intent, and drains in order on recovery', async () => {
  await h.relay()
  const recover = h.fake.misbehave({ kind: 'outage' })
  for (let n = 1; n <= 50; n++) await h.enqueue(track(`u${n % 7}`, n))
  const open = () =>
    h.db.rows<{ state: string; failure_count: number; last_error: string; retry_at: Date }>(
      "SELECT * FROM outbox.breaker_state WHERE state <> 'closed'",
    )
  const [row] = await eventually('the breaker to open', async () => {
    const rows = await open()
    return rows.length > 0 && rows
  })
  expect(row).toMatchObject({ last_error: expect.stringContaining('503') })
  expect(row?.failure_count).toBeGreaterThanOrEqual(5)
  expect(row?.retry_at).toBeInstanceOf(Date)
  expect((await h.db.rows('SELECT pending FROM outbox.backlog'))[0]).toEqual({ pending: '50' })
  expect(await dead()).toEqual([])
  const before = h.fake.requests.total
  await eventually('a failed probe', async () => (await states()).filter((s) => s === 'open').length >= 2)
  // While it is open only probes go out: one request each.
  expect(h.fake.requests.total - before).toBeLessThanOrEqual(
    (await states()).filter((s) => s === 'half_open').length + 1,
  )

  recover()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 50, duplicates: 0, outOfOrder: 0 })
  expect((await states()).slice(-2)).toEqual(['half_open', 'closed'])
  expect(await dead()).toEqual([])
})

test('an open breaker survives the restart of every relay', async () => {
  const first = await h.relay({
    breaker: { failures: 5, successes: 3, halfOpenAfterMs: 60_000, maxHalfOpenAfterMs: 60_000 },
  })
  h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(...Array.from({ length: 20 }, (_, n) => track(`u${n}`, n)))
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  await first.stop()
  const requests = h.fake.requests.total
  await h.relay()
  await h.enqueue(track('u99', 1))
  // The restarted relay has looked at least once when it has said that it lives.
  await eventually(
    'the new relay',
    async () => (await h.db.rows('SELECT 1 FROM outbox.relay_fleet')).length === 1,
  )
  await eventually('a look at the queue', async () => {
    const [flag] = await h.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.relay_idle')
    return flag?.last_value === '2'
  })
  expect(h.fake.requests.total).toBe(requests)
  expect((await h.db.rows('SELECT pending FROM outbox.backlog'))[0]).toEqual({ pending: '21' })
})

test('a 207 dead-letters what was refused, with reason and field, and delivers the rest once', async () => {
  h.fake.misbehave({
    kind: 'refuse',
    operation: (op) => stepOf(op) === 3 && { reason: 'invalid', field: 'name', message: 'is not allowed' },
  })
  await h.enqueue(...[1, 2, 3, 4, 5].map((n) => track('u1', n)))
  await h.relay()
  await h.drained()
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([1, 2, 4, 5])
  expect(h.fake.requests.total).toBe(1)
  expect(await dead()).toEqual([
    { reason: 'rejected', status: 207, field: 'name', message: 'invalid: is not allowed', n: 3 },
  ])
})

test.each([
  ['400', 'rejected'],
  ['413', 'too_large'],
] as const)('a %s on a whole batch is halved to its culprit', async (status, reason) => {
  const guilty = (op: object) => stepOf(op) === 37
  if (status === '400') h.fake.misbehave({ kind: 'badRequest', operation: guilty })
  else h.fake.misbehave({ kind: 'html', status: 413, match: ({ operations }) => operations.some(guilty) })
  await h.enqueue(...Array.from({ length: 64 }, (_, i) => track('u1', i + 1)))
  await h.relay()
  await h.drained()
  expect(await dead()).toMatchObject([{ reason, status: Number(status), n: 37 }])
  expect(h.fake.counts).toMatchObject({ applied: 63, outOfOrder: 0, duplicates: 0 })
})

test('a refused key pauses the destination, dead-letters nothing, and resumes by itself', async () => {
  await h.relay()
  const rotate = h.fake.misbehave({ kind: 'unauthorized' })
  await h.enqueue(...Array.from({ length: 20 }, (_, n) => track('u1', n + 1)))
  await eventually('the pause', async () => (await states()).includes('paused'))
  expect((await h.db.rows('SELECT state, last_error FROM outbox.breaker_state'))[0]).toMatchObject({
    last_error: expect.stringContaining('401'),
  })
  // A 401 is the answer to the probe, too: it must not close the breaker.
  await eventually('a refused probe', async () => (await states()).filter((s) => s === 'paused').length >= 2)
  expect(await states()).not.toContain('closed')
  expect(h.fake.applied).toEqual([])
  rotate()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 20, outOfOrder: 0 })
  expect(await dead()).toEqual([])
})

test.each([
  ['with Retry-After', 1],
  ['without', undefined],
])('a 429 %s holds the destination, and the breaker does not count it', async (_, retryAfter) => {
  h.fake.misbehave({ kind: 'rateLimit', times: 1, ...(retryAfter === undefined ? {} : { retryAfter }) })
  await h.enqueue(track('u1', 1), track('u1', 2))
  await h.relay()
  const held = await eventually('the hold', async () => {
    const [row] = await h.db.rows<{ state: string; retry_at: Date }>(
      'SELECT state, retry_at FROM outbox.breaker_state',
    )
    return row
  })
  expect(held.state).toBe('closed')
  await h.drained()
  expect(h.fake.applied[0]?.receivedAt).toBeGreaterThanOrEqual(held.retry_at.getTime() - 1)
  expect(h.fake.counts.applied).toBe(2)
  expect(await states()).toEqual([])
})

test.each([
  ['the connection is reset after it was applied', { kind: 'reset', after: 'apply' }],
  ['the answer is garbage', { kind: 'garbage' }],
  ['the answer never comes', { kind: 'hang', after: 'apply' }],
  ['a proxy answers in HTML', { kind: 'html', status: 502, after: 'apply' }],
] as const)('%s: sent again with the same ids and bodies, applied once', async (_, misbehaviour) => {
  h.fake.misbehave({ ...misbehaviour, times: 1 })
  await h.enqueue(...[1, 2, 3].map((n) => track('u1', n)))
  await h.relay()
  await h.drained()
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([1, 2, 3])
  expect(h.fake.duplicates).toHaveLength(3)
  expect(h.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
})

test('a redirect off the domain is not followed: neither credential nor payload leaves', async () => {
  const elsewhere = await startHarness()
  h.fake.misbehave({ kind: 'redirect', location: `${elsewhere.fake.url}/api/v2/batch`, times: 1 })
  await h.enqueue(track('u1', 1))
  await h.relay()
  await h.drained()
  expect(elsewhere.fake.requests.total).toBe(0)
  expect(h.fake.counts.applied).toBe(1)
  await elsewhere.close()
})

test('a gateway that answers 404 to everything buries nothing: the breaker opens', async () => {
  await h.relay()
  const recover = h.fake.misbehave({ kind: 'html', status: 404 })
  await h.enqueue(...Array.from({ length: 50 }, (_, n) => track(`u${n % 7}`, n)))
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  expect(await dead()).toEqual([])
  recover()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 50, outOfOrder: 0 })
})

test('a pause by hand while a probe is under way holds, and without a notification, too', async () => {
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
  // The third probe, if it is on its way, is let finish; nothing is sent after it.
  await eventually('the pause to be seen', async () => {
    const [flag] = await h.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.relay_idle')
    return flag?.last_value === '2'
  })
  expect(h.fake.counts.applied).toBeLessThanOrEqual(3)
  expect((await h.db.rows('SELECT state FROM outbox.breaker_state'))[0]).toEqual({ state: 'paused' })
  await h.db.rows('UPDATE outbox.breakers SET retry_at = now()')
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 200, outOfOrder: 0 })
})

test('a reader of outbox.delivered at midnight holds up neither maintenance nor the relay', async () => {
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
