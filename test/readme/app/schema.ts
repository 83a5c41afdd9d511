import { integer, pgTable, text } from 'drizzle-orm/pg-core'

/** The business table that README.md's first example writes to. */
export const orders = pgTable('orders', {
  id: text('id').primaryKey(),
  userId: text('user_id').notNull(),
  total: integer('total').notNull(),
})

export type Order = typeof orders.$inferInsert
