const { randomUUID } = require('node:crypto')
const { Pool } = require('pg')
const { InvalidIntentError, intents, createOutbox } = require('customerio-outbox')
const { createRelay, migrate } = require('customerio-outbox/relay')
const {
  deliverInto,
  enqueued,
  expectEnqueued,
  expectNothingEnqueued,
  startFakeCustomerIo,
} = require('customerio-outbox/testing')
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

test('the test kit shows what the transaction enqueued, and the nearest miss', async () => {
  const client = await pool.connect()
  await client.query('BEGIN')
  await expectNothingEnqueued(client)
  await createOutbox().enqueue(client, intents.track('u1', 'order_paid', { total: 42 }))
  await expectEnqueued(client, { name: 'order_paid', data: { total: expect.any(Number) } })
  await expect(expectEnqueued(client, { name: 'order_placed' })).rejects.toThrow(
    /order_placed[\s\S]*order_paid/,
  )
  await client.query('ROLLBACK')
  client.release()
})

test('the test kit delivers everything pending once, without a relay', async () => {
  const fake = await startFakeCustomerIo()
  const order = { id: randomUUID(), userId: randomUUID(), total: 42 }
  await placeOrder(pool, order)
  const { failures } = await deliverInto(fake)
  expect(failures).toEqual([])
  expect(fake.person({ id: order.userId }).events[0].name).toBe('order_placed')
  expect(await enqueued(pool)).toEqual([])
  await fake.close()
}, 60_000)

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
