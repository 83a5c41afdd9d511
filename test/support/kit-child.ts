import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { createOutbox, intents } from '../../src/index.ts'
import { deliverInto, expectEnqueued, startFakeCustomerIo } from '../../src/testing/index.ts'

/** A file of an app's tests, for `node:test`. The first test passes and the second fails. The process must end by itself. */
const outbox = createOutbox()

async function inTransaction(end: 'COMMIT' | 'ROLLBACK', work: (tx: pg.Client) => Promise<unknown>) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
  await client.connect()
  try {
    await client.query('BEGIN')
    await work(client)
  } finally {
    await client.query(end)
    await client.end()
  }
}

test('delivers from DATABASE_URL', async () => {
  await inTransaction('COMMIT', (tx) => outbox.enqueue(tx, intents.track('u1', 'signed_up')))
  await using fake = await startFakeCustomerIo()
  equal((await deliverInto(fake)).delivered, 1)
  equal(fake.counts.applied, 1)
})

test('fails with a diff', () =>
  inTransaction('ROLLBACK', async (tx) => {
    await outbox.enqueue(tx, intents.track('u1', 'order_placed', { total: 42 }))
    await expectEnqueued(tx, { operation: 'track', name: 'order_placed', data: { total: 99 } })
  }))
