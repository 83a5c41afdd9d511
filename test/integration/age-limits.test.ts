import { afterEach, beforeEach, expect, test } from 'vitest'
import { email, everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const relay = (maxAgeSeconds: number) =>
  h.relay({ workspaces: { default: { ...everyApi(h.fake), maxAgeSeconds } } })
const age = (ids: readonly string[], interval: string) =>
  h.db.rows(
    'UPDATE outbox.intents SET enqueued_at = enqueued_at - $2::interval WHERE id = ANY ($1::uuid[])',
    [ids, interval],
  )
const dead = () =>
  h.db.rows('SELECT operation, reason, status, message FROM outbox.dead_letters ORDER BY seq')
const late = () =>
  h.db.rows('SELECT destination, delivered::int, late::int FROM outbox.throughput ORDER BY destination')
const reasons = async () =>
  (await h.db.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health'))[0]?.reasons ?? []

test('an intent older than the workspace’s maxAgeSeconds becomes a dead letter without a request; other intents are delivered', async () => {
  const [old = '', , oldEmail = ''] = await h.enqueue(
    track('u1', 1),
    track('u1', 2),
    email('u1', 1),
    email('u1', 2),
  )
  await age([old, oldEmail], '2 hours')
  await relay(3_600)
  await h.drained()
  const message = expect.stringContaining('3600 s')
  expect(await dead()).toEqual([
    { operation: 'track', reason: 'expired', status: null, message },
    { operation: 'sendEmail', reason: 'expired', status: null, message },
  ])
  expect(h.fake.applied.map(({ body }) => stepOf(body as never))).toEqual([2])
  expect(h.fake.sends.map(({ body }) => body.message_data)).toEqual([{ n: 2 }])
})

test('the age of a scheduled intent counts from its sendAfter', async () => {
  const [row] = await h.db.rows<{ soon: Date }>("SELECT now() + interval '1 s' AS soon")
  const [id = ''] = await h.enqueueWith({ sendAfter: row?.soon ?? new Date() }, track('u1', 1))
  await age([id], '5 hours')
  await relay(3_600)
  await h.fake.until(({ counts }) => counts.applied === 1)
  await h.drained()
  expect(await dead()).toEqual([])
})

test('an intent over 72 h old is delivered, counted as late, and reported in the health view', async () => {
  const ids = await h.enqueue(...[1, 2, 3, 4, 5].map((n) => track(`u${n}`, n)), email('u1', 1))
  await age(ids.slice(0, 2), '73 hours')
  await age(ids.slice(2, 3), '71 hours')
  await age(ids.slice(5), '4 days')
  const started = await h.relay()
  const reported = new Map<string, number>()
  started.on('settled', (settled) => {
    reported.set(settled.destination, (reported.get(settled.destination) ?? 0) + settled.late)
  })
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 5, sends: 1 })
  expect(await dead()).toEqual([])
  expect(await late()).toEqual([
    { destination: 'default/app', delivered: 1, late: 1 },
    { destination: 'default/track', delivered: 5, late: 2 },
  ])
  expect(reported).toEqual(
    new Map([
      ['default/app', 1],
      ['default/track', 2],
    ]),
  )
  expect(await reasons()).toContain(
    'default/track has delivered 2 intents in the last hour that were over 72 h old: such events trigger no campaign',
  )
})

test('an intent delivered in time is not late, and the health view reports nothing', async () => {
  await h.enqueue(track('u1', 1))
  await h.relay()
  await h.drained()
  expect(await late()).toEqual([{ destination: 'default/track', delivered: 1, late: 0 }])
  expect(await reasons()).toEqual([])
})

test('an old intent that becomes a dead letter is not counted as late', async () => {
  const ids = await h.enqueue(track('u1', 1))
  await age(ids, '4 days')
  await relay(3_600)
  await h.drained()
  expect(
    await h.db.rows('SELECT delivered::int, dead_lettered::int, late::int FROM outbox.throughput'),
  ).toEqual([{ delivered: 0, dead_lettered: 1, late: 0 }])
})
