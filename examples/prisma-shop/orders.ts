import { PrismaPg } from '@prisma/adapter-pg'
import { createOutbox, intents } from 'customerio-outbox'
import { PrismaClient } from './generated/client.ts'

export interface Order {
  readonly id: string
  readonly userId: string
  readonly total: number
  /** Lets the payment fail, to show that nothing is sent then. */
  readonly fail?: boolean
}

export const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL ?? '' }),
})
const outbox = createOutbox()

/** Stores the order and its event in one transaction. A second call with the same id changes nothing. */
export async function placeOrder({ id, userId, total, fail }: Order) {
  return prisma.$transaction(async (tx) => {
    await tx.order.createMany({ data: { id, userId, total }, skipDuplicates: true })
    const { duplicate } = await outbox.enqueue(
      tx,
      intents.track(userId, 'order_placed', { orderId: id, total }),
      { dedupKey: `order:${id}:placed` },
    )
    if (fail) throw new Error('the payment failed') // rolls back the order and the event
    return { id, duplicate }
  })
}
