/**
 * Shown to fail: with the message of `readHorizon` (src/store/lanes/read-horizon.ts) left out the restarted server hands out
 * numbers again that the look had seen.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/connection/database.ts'
import { readHorizon } from '../../src/store/lanes/read-horizon.ts'
import { createOutbox } from '../../src/index.ts'
import type { TestDatabase } from '../support/database.ts'
import { track } from '../support/relay-harness.ts'
import { type PostgresServer, startPostgresServer } from './support/postgres-server.ts'

let server: PostgresServer
let db: TestDatabase
beforeEach(async () => {
  // What no commit asks for is not written down by the way.
  server = await startPostgresServer({ settings: ['wal_writer_delay=10000ms'] })
  db = await server.createDatabase()
})
afterEach(() => server.close())

test('a number that the horizon has seen is never handed out again, also after a crash of the server', async () => {
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
