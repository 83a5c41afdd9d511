/**
 * A test fails after each of these changes:
 * - if the dispatcher ends after a failed poll (`return` after `pollFailed` in dispatcher.ts), the queue never drains;
 * - if outage-reporter.ts reports every error, the relay emits 25 events instead of at most 6;
 * - without the pool's error listener for idle connections (database.ts), an uncaught exception ends the process.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Relay } from '../../src/relay.ts'
import type { TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf } from '../support/relay-harness.ts'
import { judge } from './support/shop/oracle.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'
import { createShop, Ledger, readTables } from './support/shop/shop.ts'
import { Writer } from './support/shop/writers.ts'

const WRITERS = 3
/**
 * Time limit from the end of an outage until the last intent is sent. If the outage swallowed a lane job on its way to a
 * relay, the lane is offered again only after a missed heartbeat.
 */
const BACK_WITHIN_MS = 20_000

let server: PostgresServer
let db: TestDatabase
let h: Harness
let relay: Relay
let ledger: Ledger
const said = { lost: 0, back: 0, errors: [] as string[] }
beforeEach(async () => {
  server = await startPostgresServer()
  db = await server.createDatabase()
  h = await startHarness({ sequenceOf: stepOf }, db)
  await createShop(db.pool)
  ledger = new Ledger()
  Object.assign(said, { lost: 0, back: 0, errors: [] })
  relay = await h.relay({ pollIntervalMs: 500 })
  relay.on('databaseLost', () => said.lost++)
  relay.on('databaseBack', () => said.back++)
  relay.on('error', ({ message }) => said.errors.push(message))
})
afterEach(async () => {
  await h.close()
  await server.close()
})

test('22: no intent is lost if Postgres restarts while apps write, after a fast stop, an immediate stop and a kill', async () => {
  await whileWriting(async (written) => {
    for (const outage of [
      () => server.restart('fast'),
      () => server.restart('immediate'),
      () => server.crash().then(() => server.start()),
    ]) {
      await written(60)
      await outage()
    }
    await written(60)
  })
  await h.drained(BACK_WITHIN_MS)
  expect((await verdict()).findings).toEqual([])
  expect(said.back).toBe(said.lost)
  expect(said.lost + said.errors.length).toBeLessThanOrEqual(6) // one or two events per outage, for all connections together
})

test('22: a relay whose connections are terminated 15 times reconnects and loses no intent', async () => {
  await whileWriting(async (written) => {
    for (let round = 0; round < 15; round++) {
      await written(15)
      await db.rows(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'`,
      )
    }
  })
  await h.drained(BACK_WITHIN_MS)
  expect((await verdict()).findings).toEqual([])
  expect(said.lost + said.errors.length).toBeLessThanOrEqual(15) // at most one event per round
})

/** Runs `work` while writers commit through every outage. `written(n)` waits for `n` more commits. */
async function whileWriting(
  work: (written: (commits: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const writers = Array.from(
    { length: WRITERS },
    (_, n) => new Writer({ connectionString: db.url, name: `w${n}`, ledger }),
  )
  const stop = new AbortController()
  const loops = writers.map(async (writer, n) => {
    for (let at = 0; !stop.signal.aborted; at++) {
      const person = `p${n}-${at % 7}`
      await writer.transact({
        steps: [{ person }, { person, operation: at % 3 === 0 ? 'identify' : 'track' }],
      })
    }
  })
  const written = async (commits: number) => {
    const from = ledger.acknowledged.size
    await eventually(`${commits} commits`, () => ledger.acknowledged.size >= from + commits)
  }
  try {
    await work(written)
  } finally {
    stop.abort()
    await Promise.all(loops)
    await Promise.all(writers.map((writer) => writer.close()))
  }
}

async function verdict() {
  const client = await db.pool.connect()
  try {
    const tables = await readTables(client as never)
    return judge({ ...tables, ...ledger, applied: h.fake.applied, duplicates: h.fake.duplicates })
  } finally {
    client.release()
  }
}
