/**
 * Shown to fail: where the dispatcher waits 60 s whatever `pollIntervalMs` says, the first is not delivered within 30 s;
 * with `idle = sleeps` in dispatcher.ts the flag asks for wake-ups that nobody hears; where connection-watch.ts forgets
 * what it has said, `notListening` comes with every try.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, type RelayEvents } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, QUICK, startHarness, track } from '../support/relay-harness.ts'
import { nextHeartbeat } from './support/heartbeat.ts'
import { startTcpProxy } from './support/tcp-proxy.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const idle = async () => {
  const [row] = await h.db.rows<{ idle: boolean }>('SELECT last_value = 2 AS idle FROM outbox.relay_idle')
  return row?.idle
}

test('25: notifications lost altogether: latency ≤ the poll interval', async () => {
  const POLL_MS = 1_500
  const WORK_MS = 1_000 // to send and settle, on a machine that has more to do
  await h.relay({ pollIntervalMs: POLL_MS })
  await eventually('the relay to sleep', idle)
  // The apps go through the motions, and nothing comes of it.
  await h.db.rows(
    `CREATE OR REPLACE FUNCTION outbox.wake_idle_relay(destination text, lane integer) RETURNS boolean LANGUAGE sql AS 'SELECT false'`,
  )
  const latencies: number[] = []
  for (let n = 1; n <= 4; n++) {
    // No look but a poll: neither because of the last one, nor because the relay has only just begun to sleep.
    await eventually('no lane at hand', async () => {
      return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
    })
    await h.enqueue(track('u1', n))
    const committedAt = performance.now()
    await eventually(`${n} delivered`, () => h.fake.counts.applied === n)
    latencies.push(performance.now() - committedAt)
  }
  expect(Math.max(...latencies)).toBeLessThan(POLL_MS + WORK_MS)
  expect(Math.max(...latencies)).toBeGreaterThan(POLL_MS / 10) // else something woke it
})

test('25: no connection for wake-ups to be had: said once, polled meanwhile, and said when it is back', async () => {
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
    await nextHeartbeat(h.db) // it sleeps by now
    expect(await idle()).toBe(false) // nobody hears: no app is asked to pay for a notification
    await eventually('it to be tried again and again', () => proxy.accepted >= 3)
    expect(listening).toEqual([])
    await proxy.restore()
    await eventually('a proof that it hears', () => listening.length === 1)
    expect(notListening).toEqual([
      {
        reason: 'unreachable',
        message: expect.any(String),
        through: 'listenConnectionString',
        pollIntervalMs: 500,
      },
    ])
    await eventually('the apps to be asked for wake-ups', idle)
  } finally {
    await relay.stop()
    await proxy.close()
  }
})
