/**
 * Places two orders, and delivers their events and receipts to a fake Customer.io, which refuses the first request. Fails if
 * they do not arrive in order.
 */
import assert from 'node:assert/strict'
import process from 'node:process'
import { createRelay, migrate } from 'customerio-outbox/relay'
import { startFakeCustomerIo } from 'customerio-outbox/testing'
import { placeOrder, pool } from './orders.ts'

const connectionString = process.env.DATABASE_URL ?? ''
await migrate({ connectionString })
await pool.query(
  'CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)',
)

const fake = await startFakeCustomerIo()
fake.misbehave({ kind: 'serverError', times: 1, match: ({ path }) => path.includes('batch') })
const customerio = {
  siteId: 'site',
  trackApiKey: 'key',
  trackUrl: fake.url,
  appApiKey: 'key',
  appUrl: fake.url,
}
const relay = createRelay({ connectionString, customerio, checkRegion: false })
await relay.start()

const user = crypto.randomUUID()
const orders = [crypto.randomUUID(), crypto.randomUUID()]
for (const id of orders) await placeOrder(id, user, 42)
await fake.until(() => fake.person({ id: user })?.events.length === orders.length)

const delivered = fake.person({ id: user })?.events.map(({ body }) => body.attributes?.orderId)
assert.deepEqual(delivered, orders)
await fake.until(() => fake.sends.length === orders.length)
await relay.stop()
await fake.close()
await pool.end()
console.log(
  `Deno ${process.versions.deno}: ${orders.length} orders, and their events were delivered in order`,
)
