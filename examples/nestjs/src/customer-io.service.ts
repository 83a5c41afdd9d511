import { TransactionHost } from '@nestjs-cls/transactional'
import type { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm'
import { Inject, Injectable } from '@nestjs/common'
import type { EnqueueOptions, Intent, Outbox } from 'customerio-outbox'

export const OUTBOX = 'OUTBOX'

/** Enqueues in the ambient transaction, so that no service passes a transaction on. */
@Injectable()
export class CustomerIo {
  constructor(
    @Inject(OUTBOX) private readonly outbox: Outbox,
    @Inject(TransactionHost) private readonly host: TransactionHost<TransactionalAdapterTypeOrm>,
  ) {}

  /** @throws NotATransactionError outside a method with @Transactional(): the intent would not roll back. */
  enqueue(intent: Intent, options: EnqueueOptions = {}) {
    return this.outbox.enqueue(this.host.tx, intent, options)
  }
}
