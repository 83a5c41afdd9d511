/** The tests fail if each request uses another id (ulid.ts): the resent events are applied twice. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Relay } from '../../src/relay.ts'
import type { TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { canLimitFileSize, limitFileSize } from './support/servers/file-size-limit.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'

const COUNT = 300
/** Time limit for the takeover of a lane whose relay could not release it. */
const TAKEOVER_MS = 20_000

let server: PostgresServer
let db: TestDatabase
let h: Harness
let relay: Relay
const errors: string[] = []
beforeEach(async () => {
  server = await startPostgresServer({ initdb: ['--wal-segsize=1'] }) // WAL segments must be smaller than the file size limit
  db = await server.createDatabase()
  h = await startHarness({ sequenceOf: stepOf }, db)
  errors.length = 0
  relay = await h.relay({ pollIntervalMs: 500 })
  relay.on('error', ({ message }) => errors.push(message))
  await h.enqueue(track('first', 0)) // creates the files and plans that delivery needs
  await h.drained()
})
afterEach(async () => {
  await h.close()
  await server.close()
})

test('33: events whose settlement fails because the database turns read-only are sent again with the same id and body', async () => {
  h.fake.latencyMs = 500
  await enqueueAll()
  await eventually('requests under way', () => h.fake.requests.total > 1)
  await readOnly('on')
  h.fake.latencyMs = 0
  await relay.stop() // resolves after every turn has given up settling
  const sent = h.fake.counts.applied - 1
  expect(sent).toBeGreaterThan(0)
  expect(errors.some((message) => /read-only transaction/.test(message))).toBe(true)
  expect(await pending()).toBe(COUNT)
  await readOnly('off')
  await h.relay()
  await sentAgain(sent)
})

const limits = await canLimitFileSize('the full disk of scenario 33')

test.skipIf(!limits)(
  '33: events whose settlement fails because the disk is full are sent again with the same id and body',
  async () => {
    await limitFileSize(server, db, 2_000_000)
    await expect(fillDelivered()).rejects.toThrow(/could not extend file/)
    await enqueueAll()
    await eventually('settling to fail', () =>
      errors.some((message) => /could not extend file/.test(message)),
    )
    await limitFileSize(server, db, 'unlimited')
    await sentAgain(1)
  },
)

const enqueueAll = () => h.enqueue(...Array.from({ length: COUNT }, (_, n) => track(`u${n % 20}`, n)))

async function pending(): Promise<number | undefined> {
  const [row] = await db.rows<{ pending: number }>('SELECT count(*)::int AS pending FROM outbox.intents')
  return row?.pending
}

async function readOnly(value: 'on' | 'off'): Promise<void> {
  await db.rows(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
  await db.rows('SELECT pg_reload_conf()')
}

/** Inserts rows of earlier deliveries until the table cannot be extended by another page. */
async function fillDelivered(): Promise<never> {
  for (;;) {
    await db.rows(
      `INSERT INTO outbox.delivered (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at)
       SELECT gen_random_uuid(), 'default/track', 0, 0, 'track', 'earlier', now(), now() FROM generate_series(1, 50)`,
    )
  }
}

async function sentAgain(atLeast: number): Promise<void> {
  await h.drained(TAKEOVER_MS)
  expect(h.fake.counts).toMatchObject({ applied: COUNT + 1, outOfOrder: 0 })
  expect(h.fake.counts.duplicates).toBeGreaterThanOrEqual(atLeast)
  expect(h.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
  const [row] = await db.rows<{ count: number }>(
    "SELECT count(*)::int AS count FROM outbox.delivered WHERE ordering_key <> 'earlier'",
  )
  expect(row?.count).toBe(COUNT + 1)
}
