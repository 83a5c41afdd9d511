import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'

interface Database {
  orders: { id: string; user_id: string; total: number }
}

export const db = new Kysely<Database>({
  dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: process.env.DATABASE_URL }) }),
})

export async function createTable(): Promise<void> {
  await db.schema
    .createTable('orders')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('total', sql`numeric`, (column) => column.notNull())
    .execute()
}
