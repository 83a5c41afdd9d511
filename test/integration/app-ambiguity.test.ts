import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Misbehaviour } from '../../src/testing/index.ts'
import { startFakeCustomerIo } from '../../src/testing/index.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
  everyApi,
  type Harness,
  peopleOfOneLane,
  QUICK,
  startHarness,
} from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

interface Dead {
  reason: string
  status: number | null
  requested_at: Date | null
  message: string
  to: string
}
const dead = () =>
  h.db.rows<Dead>(
    `SELECT reason, status, requested_at, message, payload #>> '{message,to}' AS to
     FROM outbox.dead_letters ORDER BY seq`,
  )
const states = async () =>
  (
    await h.db.rows<{ to_state: string }>('SELECT to_state FROM outbox.breaker_transitions ORDER BY ordinal')
  ).map(({ to_state }) => to_state)
const now = async () =>
  (await h.db.rows<{ now: Date }>('SELECT clock_timestamp() AS now'))[0]?.now ?? new Date()

const AFTER_APPLY: readonly (readonly [string, Misbehaviour])[] = [
  ['the connection is reset after the message was accepted', { kind: 'reset', after: 'apply' }],
  ['the answer never comes', { kind: 'hang', after: 'apply' }],
  ['the answer is garbage', { kind: 'garbage' }],
  ['a proxy answers 502 in HTML', { kind: 'html', status: 502, after: 'apply' }],
]

test.each(AFTER_APPLY)(
  '%s: with park the message is requested once, and becomes a dead letter of reason ambiguous',
  async (_, misbehaviour) => {
    h.fake.misbehave({ ...misbehaviour, times: 1 })
    const before = await now()
    await h.enqueue(email('u1', 1), email('u2', 1), email('u1', 2))
    await h.relay({ ...QUICK, requestTimeoutMs: 400 })
    await h.drained()
    const after = await now()
    const [letter, ...others] = await dead()
    expect(others).toEqual([])
    expect(letter).toMatchObject({
      reason: 'ambiguous',
      message: expect.stringMatching(/^Customer.io may have sent it, and would send it again: .+/),
    })
    expect(letter?.requested_at?.getTime()).toBeGreaterThanOrEqual(before.getTime())
    expect(letter?.requested_at?.getTime()).toBeLessThanOrEqual(after.getTime())
    // Customer.io accepted all three messages, each in one request. The message whose answer was lost is not sent again.
    expect(h.fake.sends).toHaveLength(3)
    expect(h.fake.requests.total).toBe(3)
    expect(await h.db.rows('SELECT 1 FROM outbox.delivered')).toHaveLength(2)
    expect((await h.db.rows('SELECT reason, count FROM outbox.dead_letter_summary'))[0]).toEqual({
      reason: 'ambiguous',
      count: '1',
    })
  },
)

test.each(AFTER_APPLY)(
  '%s: with resend the message is requested twice, and delivered',
  async (_, misbehaviour) => {
    h.fake.misbehave({ ...misbehaviour, times: 1 })
    await h.enqueueWith({ onAmbiguous: 'resend' }, email('u1', 1), email('u1', 2))
    await h.relay({ ...QUICK, requestTimeoutMs: 400 })
    await h.drained()
    expect(h.fake.sends.map(({ body }) => body.message_data)).toEqual([{ n: 1 }, { n: 1 }, { n: 2 }])
    expect(h.fake.sends[1]?.body).toEqual(h.fake.sends[0]?.body)
    expect(await dead()).toEqual([])
    expect(
      (await h.db.rows<{ delivery_id: string }>('SELECT delivery_id FROM outbox.delivered ORDER BY seq')).map(
        ({ delivery_id }) => delivery_id,
      ),
    ).toEqual([h.fake.sends[1]?.deliveryId, h.fake.sends[2]?.deliveryId])
  },
)

test('a relay is killed between the request and its answer: the next relay parks or resends, as onAmbiguous says', async () => {
  const victim = await h.relayProcess({ requestTimeoutMs: 60_000 })
  h.fake.latencyMs = 60_000 // accepted on arrival, answered too late
  const [parker = '', resender = ''] = await peopleOfOneLane(h.db, 'default/app', 2)
  await h.enqueue(email(parker, 1))
  await h.enqueueWith({ onAmbiguous: 'resend' }, email(resender, 1))
  await h.enqueue(email(parker, 2))
  await eventually('both requests', () => h.fake.counts.sends === 2)
  const marked = await h.db.rows<{ sending_at: Date }>(
    'SELECT sending_at FROM outbox.intents WHERE sending_at IS NOT NULL ORDER BY seq',
  )
  expect(marked).toHaveLength(2)
  victim.kill('SIGKILL')
  h.fake.latencyMs = 0
  await h.relay()
  await h.drained()
  expect(await dead()).toEqual([
    {
      reason: 'ambiguous',
      status: null,
      requested_at: marked[0]?.sending_at,
      message:
        'Customer.io may have sent it, and would send it again: the relay ended before the answer came',
      to: `${parker}@example.com`,
    },
  ])
  expect(h.fake.sends.map(({ identifiers, body }) => [identifiers.id, body.message_data]).sort()).toEqual(
    [
      [parker, { n: 1 }],
      [parker, { n: 2 }],
      [resender, { n: 1 }],
      [resender, { n: 1 }],
    ].sort(),
  )
})

test.each([
  ['in JSON', { kind: 'serverError', status: 503 }],
  ['as a proxy’s page', { kind: 'outage' }],
] as const)(
  'a 503 outage %s parks nothing: marks are removed, the breaker opens, and all messages are sent once afterwards',
  async (_, outage) => {
    const recover = h.fake.misbehave(outage)
    await h.enqueue(...Array.from({ length: 40 }, (_, n) => email(`u${n % 10}`, n)))
    await h.relay()
    await eventually('a failed probe', async () => (await states()).filter((s) => s === 'open').length >= 2)
    await eventually('no mark', async () => {
      const rows = await h.db.rows('SELECT 1 FROM outbox.intents WHERE sending_at IS NOT NULL')
      return rows.length === 0
    })
    expect(await h.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(40)
    recover()
    await h.drained()
    expect(h.fake.sends).toHaveLength(40)
    for (const some of Map.groupBy(h.fake.sends, ({ personKey }) => personKey).values()) {
      const steps = some.map(({ body }) => (body.message_data as { n: number }).n)
      expect(steps).toEqual([...steps].sort((a, b) => a - b))
      expect(new Set(steps).size).toBe(4)
    }
    expect(await dead()).toEqual([])
  },
)

test('a 502 may hide a send: each message is requested once, and the breaker limits how many are parked', async () => {
  const recover = h.fake.misbehave({ kind: 'outage', status: 502 })
  await h.enqueue(...Array.from({ length: 200 }, (_, n) => email(`u${n}`, 1)))
  await h.relay({ workers: 1 })
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  recover()
  await h.drained()
  const parked = await dead()
  expect(parked.every(({ reason }) => reason === 'ambiguous')).toBe(true)
  expect(parked.length).toBeLessThanOrEqual(5 + 8 + (await states()).length)
  expect(h.fake.sends).toHaveLength(200 - parked.length)
  expect(new Set(h.fake.sends.map(({ to }) => to)).size).toBe(200 - parked.length)
})

test('no server listens: nothing is sent or parked, and all messages are sent once when a server listens again', async () => {
  const down = await startFakeCustomerIo()
  const port = Number(new URL(down.url).port)
  await down.close()
  await h.relay({ workspaces: { default: everyApi(down) } })
  await h.enqueue(...Array.from({ length: 20 }, (_, n) => email(`u${n % 5}`, n)))
  await eventually('the breaker to open', async () => (await states()).includes('open'))
  await using back = await startFakeCustomerIo({ port })
  await h.drained()
  expect(back.sends).toHaveLength(20)
  expect(await dead()).toEqual([])
})

test('a relay that stops while a request is in flight waits for its answer, and parks nothing', async () => {
  h.fake.latencyMs = 300
  const relay = await h.relay()
  await h.enqueue(...Array.from({ length: 30 }, (_, n) => email(`u${n % 3}`, n)))
  await eventually('a request', () => h.fake.counts.sends > 0)
  await relay.stop()
  expect(await h.db.rows('SELECT 1 FROM outbox.intents WHERE sending_at IS NOT NULL')).toEqual([])
  h.fake.latencyMs = 0
  await h.relay()
  await h.drained()
  expect(h.fake.sends).toHaveLength(30)
  expect(await dead()).toEqual([])
})

test('a 500 after the message was accepted: it is requested once, and parked', async () => {
  h.fake.misbehave({ kind: 'serverError', status: 500, after: 'apply', times: 1 })
  await h.enqueue(email('u1', 1))
  await h.relay()
  await h.drained()
  expect(h.fake.sends).toHaveLength(1)
  expect(await dead()).toMatchObject([{ reason: 'ambiguous' }])
})
