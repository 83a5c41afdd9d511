import { createOutbox, intents } from 'customerio-outbox'
import { db } from './database.ts'

export interface Order {
  readonly id: string
  readonly userId: string
  readonly total: number
  /** Lets the payment fail, to show that nothing is sent then. */
  readonly fail?: boolean
}

const outbox = createOutbox()

/** Stores the order and its event in one transaction. A second call with the same id changes nothing. */
export async function placeOrder({ id, userId, total, fail }: Order) {
  return db.transaction().execute(async (trx) => {
    await trx
      .insertInto('orders')
      .values({ id, user_id: userId, total })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const { duplicate } = await outbox.enqueue(
      trx,
      intents.track(userId, 'order_placed', { orderId: id, total }),
      { dedupKey: `order:${id}:placed` },
    )
    if (fail) throw new Error('the payment failed') // rolls back the order and the event
    return { id, duplicate }
  })
}
