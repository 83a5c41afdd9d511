import { DataSource } from 'typeorm'
import { Order } from './order.entity.ts'

/** The tables of the app. The schemas `outbox` and `outbox_pgboss` belong to `customerio-outbox migrate`. */
export const dataSource = new DataSource({
  type: 'postgres',
  url: process.env.DATABASE_URL,
  entities: [Order],
  synchronize: true, // for the example; an app has migrations
})
