import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { createRelay } from '../../src/relay.ts'
import { startFakeCustomerIo } from '../../src/testing/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

test('committed intents arrive in order, and rolled-back ones do not', async () => {
  const fake = await startFakeCustomerIo()
  const relay = createRelay({
    connectionString: db.url,
    customerio: { siteId: 'site', trackApiKey: 'key', trackUrl: fake.url },
  })
  await relay.start()
  const outbox = createOutbox()
  await db.transaction((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 'u1' }))
  const rolledBack = await db.begin()
  await outbox.enqueue(rolledBack, { operation: 'track', customerId: 'u1', name: 'never' })
  await rolledBack.query('ROLLBACK')
  rolledBack.release()
  await db.transaction((tx) =>
    outbox.enqueue(tx, { operation: 'track', customerId: 'u1', name: 'signed_up' }),
  )
  await eventually('the delivery', () => fake.counts.applied >= 2)
  await relay.stop()
  await fake.close()
  expect(fake.applied.map(({ action, name }) => name ?? action)).toEqual(['identify', 'signed_up'])
})
