import { createOutbox, intents } from 'customerio-outbox'
import { SQL } from 'bun'

export const sql = new SQL(process.env.DATABASE_URL ?? '')
const outbox = createOutbox()

/** Stores the order, its event and its receipt in one transaction of Bun's own Postgres client. */
export async function placeOrder(id: string, userId: string, total: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`INSERT INTO orders (id, user_id, total) VALUES (${id}, ${userId}, ${total})`
    await outbox.enqueue(tx, [
      intents.track(userId, 'order_placed', { orderId: id, total }),
      intents.sendEmail({
        to: `${userId}@example.com`,
        identifiers: { id: userId },
        transactional_message_id: 1,
      }),
    ])
  })
}
