/** An app that enqueues. It starts no relay, and nothing of it waits for Customer.io. */
import { createOutbox, intents } from 'customerio-outbox'
import pg from 'pg'

const outbox = createOutbox()
const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
await client.query(`
  CREATE TABLE IF NOT EXISTS orders (
    number bigint GENERATED ALWAYS AS IDENTITY, id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)`)

await placeOrder('1', 'ana', 10)
await placeOrder('2', 'bo', 20)
await placeOrder('3', 'ana', 30, { fail: true }).catch((error) => console.log(`order 3: ${error.message}`))
await placeOrder('1', 'ana', 10) // a repeated request changes nothing
await placeOrder('4', 'ana', 40)
await client.end()

async function placeOrder(id: string, userId: string, total: number, { fail = false } = {}) {
  await client.query('BEGIN')
  try {
    await client.query('INSERT INTO orders (id, user_id, total) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
      id,
      userId,
      total,
    ])
    await outbox.enqueue(client, intents.track(userId, 'order_placed', { orderId: id, total }), {
      dedupKey: `order:${id}:placed`,
    })
    if (fail) throw new Error('the payment failed')
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}
