/**
 * A test fails after each of these changes:
 * - without `durably` (server-sql.ts) in mark-sending.ts, the message is sent twice;
 * - without `durably` in read-horizon.ts, the server assigns numbers again that the relay has seen;
 * - without `durably` in settle.ts, the settled intent is pending again after the crash.
 */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/connection/database.ts'
import { readHorizon } from '../../src/store/lanes/read-horizon.ts'
import { settle } from '../../src/store/lanes/settle.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'
import { startGateway } from './support/network/gateway.ts'
import { holdRequests } from './support/holding.ts'
import { LOSES_COMMITS, type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'

let server: PostgresServer
let h: Harness
beforeEach(async () => {
  server = await startPostgresServer({ settings: LOSES_COMMITS })
  h = await startHarness({}, await server.createDatabase())
})
afterEach(async () => {
  await h.close()
  await server.close()
})

/** Writes all earlier commits to disk. A later commit is on disk only if its transaction asks for that. */
const flush = () => h.db.rows('CHECKPOINT')

async function crash(): Promise<void> {
  await server.crash()
  await server.start()
}

test('41: relay and server crash while a message with the policy park is in flight: it is requested once, and then parked', async () => {
  const gateway = await startGateway(h.fake)
  try {
    const requests = holdRequests(gateway)
    await h.enqueue(email('u1', 1))
    await flush()
    const relay = await h.relayProcess({ customerio: everyApi(gateway), requestTimeoutMs: 30_000 })
    await eventually('the request', () => requests.count === 1)
    const ended = once(relay, 'exit')
    relay.kill('SIGKILL')
    await Promise.all([ended, crash()])
    await requests.end()
    await h.db.rows('DELETE FROM outbox_pgboss.job') // so the next relay waits for no missed heartbeat of the first
    await h.relay()
    await h.drained()
    expect(h.fake.sends).toHaveLength(1)
    expect(await h.db.rows('SELECT reason FROM outbox.dead_letters')).toEqual([{ reason: 'ambiguous' }])
  } finally {
    await gateway.close()
  }
})

test('41: a number that the write horizon has seen is not assigned again after a crash', async () => {
  const db = openDatabase({ connectionString: h.db.url })
  await flush()
  await h.enqueue(...Array.from({ length: 100 }, (_, n) => track('u1', n)))
  const { lastSeq } = await readHorizon(db)
  await crash()
  await db.close()
  const [row] = await h.db.rows<{ last: string }>('SELECT last_value AS last FROM outbox.intents_seq_seq')
  expect(BigInt(row?.last ?? 0)).toBeGreaterThanOrEqual(lastSeq)
})

test('41: a settled intent stays settled after a crash', async () => {
  const db = openDatabase({ connectionString: h.db.url })
  await h.enqueue(track('u1', 1))
  const [row] = await h.db.rows<{ destination: string; lane: number; seq: string; id: string }>(
    'SELECT destination, lane, seq, id FROM outbox.intents',
  )
  if (!row) throw new Error('the queue is empty')
  const fence = await claimLane(db, row, '0190a1b2-0000-7000-8000-000000000001')
  await flush()
  await settle(db, fence, { delivered: [row], dead: [] })
  await crash()
  await db.close()
  expect(await h.db.rows('SELECT id FROM outbox.intents')).toEqual([])
  expect(await h.db.rows('SELECT id FROM outbox.delivered')).toEqual([{ id: row.id }])
})
