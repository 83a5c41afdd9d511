import { drizzle } from 'drizzle-orm/node-postgres'
import { pool } from './pg.ts'

export const db = drizzle(pool)
