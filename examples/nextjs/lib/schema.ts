import { numeric, pgTable, text } from 'drizzle-orm/pg-core'

export const orders = pgTable('orders', {
  id: text().primaryKey(),
  userId: text('user_id').notNull(),
  total: numeric({ mode: 'number' }).notNull(),
})
