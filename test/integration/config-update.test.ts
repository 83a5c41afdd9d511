import { afterEach, beforeEach, expect, test } from 'vitest'
import { InvalidSettingError, type RelayEvents } from '../../src/relay.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, track } from '../support/relay-harness.ts'

let harness: Harness
beforeEach(async () => {
  harness = await startHarness()
})
afterEach(() => harness.close())

const workspace = () => ({ siteId: 'site', trackApiKey: 'key', trackUrl: harness.fake.url })

const pause = (retryAt: string) =>
  harness.db.rows(
    `INSERT INTO outbox.breakers (destination, state, opened_at, retry_at, last_error)
     VALUES ('default/track', 'paused', now(), ${retryAt}, 'x')`,
  )

/** A breaker that waits an hour before its first probe. */
const SLOW_PROBES = {
  breaker: { failures: 5, successes: 1, halfOpenAfterMs: 3_600_000, maxHalfOpenAfterMs: 3_600_000 },
}

test('a destination whose settings change is probed at once, though its next probe was due in an hour', async () => {
  await pause("now() + interval '1 hour'")
  const relay = await harness.relay({ customerio: workspace(), ...SLOW_PROBES })
  await harness.enqueue(track('u1', 1))
  await relay.updateWorkspaces({ default: workspace() })
  await relay.updateWorkspaces({ default: { ...workspace(), trackApiKey: 'another' } })
  await harness.drained(10_000)
  expect(harness.fake.counts.applied).toBe(1)
})

test('the same settings change nothing', async () => {
  await pause("now() + interval '1 hour'")
  const relay = await harness.relay({ customerio: workspace(), ...SLOW_PROBES })
  const updates: RelayEvents['workspacesUpdated'][0][] = []
  relay.on('workspacesUpdated', (update) => updates.push(update))
  await relay.updateWorkspaces({ default: workspace() })
  expect(updates).toEqual([{ destinations: [] }])
  expect(
    await harness.db.rows("SELECT 1 FROM outbox.breakers WHERE retry_at > now() + interval '50 minutes'"),
  ).toEqual([{ '?column?': 1 }])
})

test('a destination that an operator paused stays paused', async () => {
  await pause('NULL')
  const relay = await harness.relay({ customerio: workspace(), ...SLOW_PROBES })
  await relay.updateWorkspaces({ default: { ...workspace(), trackApiKey: 'another' } })
  expect(await harness.db.rows('SELECT state, retry_at FROM outbox.breakers')).toEqual([
    { state: 'paused', retry_at: null },
  ])
})

test('intents of a removed workspace stay queued, and are delivered when it is added again', async () => {
  const relay = await harness.relay({ customerio: workspace() })
  expect(relay.destinations).toEqual(['default/track'])
  const unserved: string[] = []
  relay.on('unserved', ({ destination }) => unserved.push(destination))
  for (const times of [1, 2]) {
    await relay.updateWorkspaces({ other: workspace() })
    await harness.enqueue(track('u1', times))
    await eventually('the event', () => unserved.length === times)
    await relay.updateWorkspaces({ other: workspace(), default: workspace() })
    await harness.drained()
  }
  expect(unserved).toEqual(['default/track', 'default/track'])
  expect(harness.fake.counts.applied).toBe(2)
})

test('a backlog in delivery continues with the new settings, in order and without loss', async () => {
  const relay = await harness.relay({ customerio: workspace(), batchSize: 10, requestTimeoutMs: 300 })
  harness.fake.latencyMs = 20
  const states: string[] = []
  relay.on('breaker', ({ to }) => states.push(to))
  await harness.enqueue(...Array.from({ length: 500 }, (_, n) => track('u1', n)))
  await harness.fake.until((fake) => fake.counts.applied >= 100)
  await relay.updateWorkspaces({ default: { ...workspace(), trackApiKey: 'rotated' } })
  const { total } = harness.fake.requests
  await harness.fake.until((fake) => fake.requests.total > total) // so all requests with the old key have arrived
  harness.fake.credentials = { siteId: 'site', apiKey: 'rotated' }
  await harness.drained()
  expect(harness.fake.applied.map(({ body }) => body.attributes?.n)).toEqual(
    Array.from({ length: 500 }, (_, n) => n),
  )
  expect(states).toEqual([])
})

test('invalid settings are rejected, and the previous ones stay in use', async () => {
  const relay = await harness.relay({ customerio: workspace() })
  const wrong = [
    {},
    { default: {} },
    { default: { ...workspace(), region: 'uk' as 'us' } },
    { 'a/b': workspace() },
  ]
  for (const workspaces of wrong) {
    await expect(relay.updateWorkspaces(workspaces)).rejects.toThrow(InvalidSettingError)
  }
  await harness.enqueue(track('u1', 1))
  await harness.drained()
  expect(relay.destinations).toEqual(['default/track'])
})
