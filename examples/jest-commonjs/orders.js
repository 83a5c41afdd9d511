const { createOutbox, intents } = require('customerio-outbox')

const outbox = createOutbox()

/** Stores the order and its event in one transaction. */
async function placeOrder(pool, { id, userId, total }) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (id, user_id, total) VALUES ($1, $2, $3)', [id, userId, total])
    const placed = intents.track(userId, 'order_placed', { orderId: id, total })
    const { duplicate } = await outbox.enqueue(client, placed, { dedupKey: `order:${id}:placed` })
    await client.query('COMMIT')
    return { duplicate }
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

module.exports = { placeOrder }
