import type { PGlite } from '@electric-sql/pglite'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Knex } from 'knex'
import type { Kysely } from 'kysely'
import type pg from 'pg'
import type { IDatabase } from 'pg-promise'
import type { Sql } from 'postgres'
import type { Sequelize } from 'sequelize'
import type { DatabasePool } from 'slonik'
import type { DataSource } from 'typeorm'
import { expectTypeOf, test } from 'vitest'
import type { Transaction } from '../../src/index.ts'
import type { PrismaClient } from './app/prisma/generated/client.ts'

// That each library's transaction is accepted, the compiler checks in the folder `open`, where no transaction is cast.
test('the compiler refuses the handles that a caller may pass by mistake', () => {
  expectTypeOf<pg.Pool>().not.toExtend<Transaction>()
  expectTypeOf<NodePgDatabase>().not.toExtend<Transaction>()
  expectTypeOf<Kysely<unknown>>().not.toExtend<Transaction>()
  expectTypeOf<Knex>().not.toExtend<Transaction>()
  expectTypeOf<PrismaClient>().not.toExtend<Transaction>()
  expectTypeOf<DataSource>().not.toExtend<Transaction>()
  expectTypeOf<Sequelize>().not.toExtend<Transaction>()
  expectTypeOf<DatabasePool>().not.toExtend<Transaction>()
  expectTypeOf<Sql>().not.toExtend<Transaction>()
  expectTypeOf<IDatabase<unknown>>().not.toExtend<Transaction>()
  expectTypeOf<PGlite>().not.toExtend<Transaction>()
})
