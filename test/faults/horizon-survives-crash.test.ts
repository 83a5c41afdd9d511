/**
 * The test fails without the WAL message of `readHorizon` (src/store/lanes/read-horizon.ts): the restarted server draws
 * numbers again that the write horizon has seen.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/connection/database.ts'
import { readHorizon } from '../../src/store/lanes/read-horizon.ts'
import { createOutbox } from '../../src/index.ts'
import type { TestDatabase } from '../support/database.ts'
import { track } from '../support/relay-harness.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'

let server: PostgresServer
let db: TestDatabase
beforeEach(async () => {
  // With a shorter delay, the WAL writer would flush the WAL by itself, without a commit.
  server = await startPostgresServer({ settings: ['wal_writer_delay=10000ms'] })
  db = await server.createDatabase()
})
afterEach(() => server.close())

test('a number that the write horizon has seen is not drawn again after a crash of the server', async () => {
  const tx = await db.begin()
  tx.on('error', () => {}) // the crash
  await createOutbox().enqueue(
    tx,
    Array.from({ length: 100 }, (_, n) => track('u1', n)),
  )
  const connection = openDatabase({ connectionString: db.url })
  const { lastSeq, writers } = await readHorizon(connection)
  expect(lastSeq).toBe(100n)
  expect(writers).toHaveLength(1)
  await server.crash()
  await server.start()
  await connection.close()
  tx.release(true)
  const [row] = await db.rows<{ last: string }>('SELECT last_value AS last FROM outbox.intents_seq_seq')
  expect(Number(row?.last)).toBeGreaterThanOrEqual(100)
})
