/**
 * A test fails after each of these changes:
 * - if the dispatcher waits 60 s whatever `pollIntervalMs` is, the first intent is not delivered within 30 s;
 * - if `NotifyMode` does not ask whether the relay listens, the flag stays on and commits notify, although no relay
 *   listens;
 * - if outage-reporter.ts forgets what it has reported, `notListening` is emitted with every try.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, type RelayEvents } from '../../src/relay.ts'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, QUICK, startHarness, track } from '../support/relay-harness.ts'
import { nextHeartbeat } from './support/heartbeat.ts'
import { startTcpProxy } from './support/network/tcp-proxy.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const isFlagOn = async () => {
  const [row] = await h.db.rows<{ isOn: boolean }>('SELECT last_value = 2 AS "isOn" FROM outbox.notify_flag')
  return row?.isOn
}

test('25: if every notification is lost, an intent waits no longer than the poll interval', async () => {
  const POLL_MS = 1_500
  const WORK_MS = 1_000 // to send and settle on a busy machine
  await h.relay({ pollIntervalMs: POLL_MS })
  await eventually('the flag to be on', isFlagOn)
  // From here on no commit notifies, although the flag is on.
  await h.db.rows(
    `CREATE OR REPLACE FUNCTION outbox.wake_relays(destination text, lane integer) RETURNS boolean LANGUAGE sql AS 'SELECT false'`,
  )
  const latencies: number[] = []
  for (let n = 1; n <= 4; n++) {
    // While the relay holds a lane, it polls more often than its interval.
    await eventually('no lane to be held', async () => {
      return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
    })
    await h.enqueue(track('u1', n))
    const committedAt = performance.now()
    await eventually(`${n} delivered`, () => h.fake.counts.applied === n)
    latencies.push(performance.now() - committedAt)
  }
  expect(Math.max(...latencies)).toBeLessThan(POLL_MS + WORK_MS)
  expect(Math.max(...latencies)).toBeGreaterThan(POLL_MS / 10) // otherwise something else woke the relay
})

test('25: a relay that gets no LISTEN connection reports it once and polls, and reports when it listens', async () => {
  const proxy = await startTcpProxy(h.db.url)
  proxy.setNew((connection) => {
    if (connection.mentions('relay wake-up')) connection.cut()
    return undefined
  })
  const relay = createRelay({
    ...QUICK,
    connectionString: h.db.url,
    listenConnectionString: proxy.url(h.db.url),
    customerio: everyApi(h.fake),
    pollIntervalMs: 500,
  })
  const notListening: RelayEvents['notListening'][0][] = []
  const listening: unknown[] = []
  relay.on('notListening', (event) => notListening.push(event))
  relay.on('listening', (event) => listening.push(event))
  try {
    await relay.start()
    for (let n = 1; n <= 3; n++) {
      await h.enqueue(track('u1', n))
      await eventually(`${n} delivered`, () => h.fake.counts.applied === n)
    }
    await nextHeartbeat(h.db) // by now the relay is idle
    expect(await isFlagOn()).toBe(false) // no relay listens: no commit must pay for a notification
    await eventually('further tries', () => proxy.accepted >= 3)
    expect(listening).toEqual([])
    await proxy.restore()
    await eventually('a LISTEN connection', () => listening.length === 1)
    expect(notListening).toEqual([
      {
        reason: 'unreachable',
        message: expect.any(String),
        through: 'listenConnectionString',
        pollIntervalMs: 500,
      },
    ])
    await eventually('the flag to be on', isFlagOn)
  } finally {
    await relay.stop()
    await proxy.close()
  }
})
