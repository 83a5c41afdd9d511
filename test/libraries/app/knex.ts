import createKnex from 'knex'
import { Model } from 'objection'

export const knex = createKnex({ client: 'pg', connection: process.env.DATABASE_URL ?? '' })

export class Order extends Model {
  static override tableName = 'orders'
}
Order.knex(knex)
