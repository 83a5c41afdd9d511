const { randomUUID } = require('node:crypto')
const { Pool } = require('pg')
const { InvalidIntentError, intents, createOutbox } = require('customerio-outbox')
const { createRelay, migrate } = require('customerio-outbox/relay')
const { startFakeCustomerIo } = require('customerio-outbox/testing')
const { placeOrder } = require('./orders.js')

const connectionString = process.env.DATABASE_URL
const pool = new Pool({ connectionString })

beforeAll(async () => {
  await migrate({ connectionString })
  await pool.query(
    'CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)',
  )
}, 60_000)

afterAll(() => pool.end())

test('an order and its event are committed together', async () => {
  const order = { id: randomUUID(), userId: randomUUID(), total: 42 }
  expect(await placeOrder(pool, order)).toEqual({ duplicate: false })
  const { rows } = await pool.query('SELECT operation FROM outbox.intents WHERE ordering_key LIKE $1', [
    `%${order.userId}%`,
  ])
  expect(rows).toEqual([{ operation: 'track' }])
})

test('an intent that Customer.io would not take is refused', async () => {
  const client = await pool.connect()
  await client.query('BEGIN')
  const refused = createOutbox().enqueue(client, intents.track('u1', 'x'.repeat(101)))
  await expect(refused).rejects.toBeInstanceOf(InvalidIntentError)
  await client.query('ROLLBACK')
  client.release()
})

test('a relay in the same process delivers to the fake', async () => {
  const fake = await startFakeCustomerIo()
  const customerio = { siteId: 'site', trackApiKey: 'key', trackUrl: fake.url }
  const relay = createRelay({ connectionString, customerio, checkRegion: false })
  await relay.start()
  const order = { id: randomUUID(), userId: randomUUID(), total: 42 }
  await placeOrder(pool, order)
  await fake.until(() => fake.person({ id: order.userId })?.events.length === 1)
  expect(fake.person({ id: order.userId }).events[0].name).toBe('order_placed')
  await relay.stop()
  await fake.close()
}, 60_000)
