/**
 * A test fails after each of these changes:
 * - without the check of the LISTEN connection (`#checkLater` in listener.ts) no other connection is made within 30 s;
 * - without `query_timeout` (connection.ts) the intent is not delivered within 30 s, and the relay cannot stop;
 * - if the pool of a silent connection is not replaced (`replace` in database.ts) the second test may take 60 s instead of
 *   21 s. This depends on which statement hung on which connection, so the test does not fail in every run.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Relay } from '../../src/relay.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, track } from '../support/relay-harness.ts'
import {
  HALF_OPEN,
  type ProxiedConnection,
  startTcpProxy,
  type TcpProxy,
} from './support/network/tcp-proxy.ts'

let h: Harness
let proxy: TcpProxy
beforeEach(async () => {
  h = await startHarness()
  proxy = await startTcpProxy(h.db.url)
})
afterEach(async () => {
  await h.close()
  await proxy.close()
})

const listens = (connection: ProxiedConnection) => connection.mentions('LISTEN "outbox:wake"')
const listeners = () => proxy.connections.filter(listens)

function errorsOf(relay: Relay): string[] {
  const errors: string[] = []
  relay.on('error', ({ message }) => errors.push(message))
  return errors
}

async function delivered(count: number, withinMs?: number): Promise<void> {
  await eventually(`${count} delivered`, () => h.fake.counts.applied === count, withinMs)
}

test('23: the LISTEN connection is half-open: the relay polls, notices, and reconnects', async () => {
  const relay = await h.relay({ connectionString: proxy.url(h.db.url), pollIntervalMs: 1_000 })
  const errors = errorsOf(relay)
  await eventually('a LISTEN', () => listeners().length === 1)
  expect(proxy.set(HALF_OPEN, listens)).toBe(1)

  for (let n = 1; n <= 3; n++) {
    await h.enqueue(track('u1', n))
    await delivered(n)
  }
  expect(listeners()).toHaveLength(1) // the relay has not noticed yet: polls found these intents
  await eventually('another connection that listens', () => listeners().length === 2)
  expect(errors).toEqual(['the LISTEN connection receives no notifications: reconnecting'])
})

test('23: every connection of the relay is half-open: it continues with new ones, and reports one error', async () => {
  const relay = await h.relay({ connectionString: proxy.url(h.db.url), pollIntervalMs: 500 })
  const errors = errorsOf(relay)
  const lost: string[] = []
  relay.on('databaseLost', ({ message }) => lost.push(message))
  await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`u${n}`, 0))) // every connection is in use
  await delivered(40)
  await h.drained() // and none is in use now
  proxy.set(HALF_OPEN)
  await h.enqueue(track('u1', 1))
  await delivered(41)
  await h.enqueue(track('u1', 2))
  await delivered(42, 10_000) // the relay tries no old connection again
  await eventually('the error', () => errors.includes('Query read timeout'))
  expect(errors.filter((message) => message === 'Query read timeout')).toHaveLength(1)
  expect(lost).toEqual([]) // a second poll, on a new connection, succeeded
})
