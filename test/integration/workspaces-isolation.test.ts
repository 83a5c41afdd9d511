import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
let acme: FakeCustomerIo
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf, trackApiKey: 'default-key', siteId: 'default-site' })
  acme = await startFakeCustomerIo({ sequenceOf: stepOf, trackApiKey: 'acme-key', siteId: 'acme-site' })
})
afterEach(async () => {
  await h.close()
  await acme.close()
})

const workspaces = () => ({
  default: { ...everyApi(h.fake), siteId: 'default-site', trackApiKey: 'default-key' },
  acme: { ...everyApi(acme), siteId: 'acme-site', trackApiKey: 'acme-key' },
})
const steps = (total: number, people: number): Intent[] =>
  Array.from({ length: total }, (_, n) => track(`u${n % people}`, n))
const breakers = () => h.db.rows('SELECT destination, state FROM outbox.breaker_state ORDER BY destination')

test('each workspace is delivered with its own key to its own host, even for people with the same id', async () => {
  await h.enqueue(track('u1', 1), email('u1', 1))
  await h.enqueueWith({ workspace: 'acme' }, track('u1', 2), email('u1', 2))
  await h.relay({ workspaces: workspaces() })
  await h.drained()
  expect(h.fake.applied.map(({ body }) => stepOf(body as never))).toEqual([1])
  expect(acme.applied.map(({ body }) => stepOf(body as never))).toEqual([2])
  expect(h.fake.sends.map(({ body }) => body.message_data)).toEqual([{ n: 1 }])
  expect(acme.sends.map(({ body }) => body.message_data)).toEqual([{ n: 2 }])
  expect(
    (await h.db.rows<{ destination: string }>('SELECT destination FROM outbox.delivered'))
      .map(({ destination }) => destination)
      .sort(),
  ).toEqual(['acme/app', 'acme/track', 'default/app', 'default/track'])
})

test('intents of a workspace without a key wait and are reported, until a relay with the key delivers them', async () => {
  const relay = await h.relay({
    workspaces: { default: { siteId: 'default-site', trackApiKey: 'default-key', trackUrl: h.fake.url } },
  })
  const unserved: string[] = []
  relay.on('unserved', ({ destination }) => unserved.push(destination))
  await h.enqueueWith({ workspace: 'acme' }, track('u1', 1))
  await h.enqueue(email('u1', 1), track('u1', 2))
  await h.fake.until(({ counts }) => counts.applied === 1)
  await eventually('both reports', () => unserved.length >= 2)
  await h.enqueue(track('u1', 3))
  await h.fake.until(({ counts }) => counts.applied === 2)
  expect(unserved.sort()).toEqual(['acme/track', 'default/app'])
  const waiting = await eventually('the others to be settled', async () => {
    const rows = await h.db.rows('SELECT destination FROM outbox.intents ORDER BY destination')
    return rows.length === 2 && rows
  })
  expect(waiting).toEqual([{ destination: 'acme/track' }, { destination: 'default/app' }])
  await h.relay({ workspaces: workspaces() })
  await h.drained()
  expect(acme.counts.applied).toBe(1)
  expect(h.fake.counts.sends).toBe(1)
})

test('a wrong key of one workspace stops only that workspace', async () => {
  acme.credentials = { siteId: 'acme-site', apiKey: 'rotated' }
  await h.relay({ workspaces: workspaces() })
  await h.enqueueWith({ workspace: 'acme' }, ...steps(50, 5))
  await eventually('the pause', async () => (await breakers()).some((row) => row.state === 'paused'))
  await h.enqueue(...steps(500, 50))
  await h.fake.until(({ counts }) => counts.applied === 500)
  expect((await breakers()).map(({ destination }) => destination)).toEqual(['acme/track'])
  expect(acme.counts.applied).toBe(0)
  acme.credentials = { siteId: 'acme-site', apiKey: 'acme-key' }
  await h.drained()
  expect(acme.counts).toMatchObject({ applied: 50, outOfOrder: 0, duplicates: 0 })
})

test('10,000 intents with a wrong key become no dead letters, and are delivered in order once the key is right', async () => {
  acme.credentials = { siteId: 'acme-site', apiKey: 'rotated' }
  await h.enqueueWith({ workspace: 'acme' }, ...steps(10_000, 100))
  await h.relay({ workspaces: workspaces() })
  await eventually('the pause', async () => (await breakers()).some((row) => row.state === 'paused'))
  await eventually('a refused probe', () => acme.requests.total > 16)
  const [row] = await h.db.rows('SELECT state, last_error FROM outbox.breaker_state')
  expect(row).toMatchObject({ last_error: expect.stringContaining('401') })
  const [health] = await h.db.rows<{ status: string; reasons: string[] }>('SELECT * FROM outbox.health')
  expect(health).toMatchObject({ status: 'degraded' })
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
  expect((await h.db.rows('SELECT count(*)::int AS n FROM outbox.intents'))[0]).toEqual({ n: 10_000 })
  acme.credentials = { siteId: 'acme-site', apiKey: 'acme-key' }
  await h.drained()
  expect(acme.counts).toMatchObject({ applied: 10_000, outOfOrder: 0, duplicates: 0 })
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})

test('after a restart with the right key from the environment, all intents are delivered in order', async () => {
  const wrong = { default: { ...everyApi(h.fake), siteId: 'default-site', trackApiKey: 'old-key' } }
  const before = await h.relay({ workspaces: wrong })
  await h.enqueue(...steps(500, 20))
  await eventually('the pause', async () => {
    const [row] = await breakers()
    return row?.state === 'paused' || row?.state === 'half_open'
  })
  await before.stop()
  expect(h.fake.counts.applied).toBe(0)
  await h.relay({ workspaces: workspaces() })
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 500, outOfOrder: 0 })
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})
