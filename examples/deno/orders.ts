import { createOutbox, intents } from 'customerio-outbox'
import pg from 'pg'
import process from 'node:process'

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
const outbox = createOutbox()

/** Stores the order, its event and its receipt in one transaction of pg. */
export async function placeOrder(id: string, userId: string, total: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (id, user_id, total) VALUES ($1, $2, $3)', [id, userId, total])
    await outbox.enqueue(client, [
      intents.track(userId, 'order_placed', { orderId: id, total }),
      intents.sendEmail({
        to: `${userId}@example.com`,
        identifiers: { id: userId },
        transactional_message_id: 1,
      }),
    ])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}
