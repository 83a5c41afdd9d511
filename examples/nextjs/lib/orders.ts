import { createOutbox, intents } from 'customerio-outbox'
import { drizzle } from 'drizzle-orm/node-postgres'
import { orders } from './schema.ts'

export interface Order {
  readonly id: string
  readonly userId: string
  readonly total: number
  /** Lets the payment fail, to show that nothing is sent then. */
  readonly fail?: boolean
}

const db = drizzle(process.env.DATABASE_URL ?? '')
const outbox = createOutbox()

/** Stores the order and its event in one transaction. A second call with the same id changes nothing. */
export async function placeOrder({ id, userId, total, fail }: Order) {
  return db.transaction(async (tx) => {
    await tx.insert(orders).values({ id, userId, total }).onConflictDoNothing()
    const { duplicate } = await outbox.enqueue(
      tx,
      intents.track(userId, 'order_placed', { orderId: id, total }),
      { dedupKey: `order:${id}:placed` },
    )
    if (fail) throw new Error('the payment failed') // rolls back the order and the event
    return { id, duplicate }
  })
}
