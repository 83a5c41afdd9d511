import { ClsPluginTransactional } from '@nestjs-cls/transactional'
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm'
import { Module } from '@nestjs/common'
import { createOutbox } from 'customerio-outbox'
import { ClsModule } from 'nestjs-cls'
import { CustomerIo, OUTBOX } from './customer-io.service.ts'
import { dataSource } from './data-source.ts'
import { OrdersController } from './orders.controller.ts'
import { OrdersService } from './orders.service.ts'

const DATA_SOURCE = 'DATA_SOURCE'

@Module({
  providers: [{ provide: DATA_SOURCE, useFactory: () => dataSource.initialize() }],
  exports: [DATA_SOURCE],
})
class DatabaseModule {}

@Module({
  imports: [
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          imports: [DatabaseModule],
          adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: DATA_SOURCE }),
        }),
      ],
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService, CustomerIo, { provide: OUTBOX, useFactory: () => createOutbox() }],
})
export class AppModule {}
