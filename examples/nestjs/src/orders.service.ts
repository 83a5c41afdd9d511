import { Transactional, TransactionHost } from '@nestjs-cls/transactional'
import type { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm'
import { Inject, Injectable } from '@nestjs/common'
import { intents } from 'customerio-outbox'
import { CustomerIo } from './customer-io.service.ts'
import { Order } from './order.entity.ts'

export interface PlaceOrder {
  readonly id: string
  readonly userId: string
  readonly total: number
  /** Lets the payment fail, to show that nothing is sent then. */
  readonly fail?: boolean
}

@Injectable()
export class OrdersService {
  constructor(
    @Inject(CustomerIo) private readonly customerIo: CustomerIo,
    @Inject(TransactionHost) private readonly host: TransactionHost<TransactionalAdapterTypeOrm>,
  ) {}

  /** Stores the order and its event in one transaction. A second call with the same id changes nothing. */
  @Transactional()
  async place({ id, userId, total, fail }: PlaceOrder) {
    await this.host.tx
      .createQueryBuilder()
      .insert()
      .into(Order)
      .values({ id, userId, total })
      .orIgnore()
      .execute()
    const event = intents.track(userId, 'order_placed', { orderId: id, total })
    const { duplicate } = await this.customerIo.enqueue(event, { dedupKey: `order:${id}:placed` })
    if (fail) throw new Error('the payment failed') // rolls back the order and the event
    return { id, duplicate }
  }
}
