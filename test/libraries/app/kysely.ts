import { Kysely, PostgresDialect } from 'kysely'
import { pool } from './pg.ts'

export const db = new Kysely<{ orders: { id: string; total: number } }>({
  dialect: new PostgresDialect({ pool }),
})
