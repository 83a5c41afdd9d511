import { MikroORM } from '@mikro-orm/postgresql'
import { PrismaPg } from '@prisma/adapter-pg'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { DataSource } from 'typeorm'
import type { Library } from '../contract/library.ts'
import { mikroOrm } from '../open/mikro-orm.ts'
import { kysely } from '../open/kysely.ts'
import { overPool, pgClient } from '../open/pg.ts'
import { prisma } from '../open/prisma.ts'
import { typeorm } from '../open/typeorm.ts'
// Generated like that of Prisma 7, which open/prisma.ts describes, with PRISMA_QUERY_ENGINE_LIBRARY=/bin/true besides.
import { PrismaClient } from './prisma/generated/client.ts'

/** Previous majors that are still in wide use. Their types are those of their own packages. */
export const previous: readonly Library[] = [
  {
    ...pgClient,
    name: 'pg 8.11, without getTransactionStatus',
    async open(url) {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      return overPool(pool, (client) => client)
    },
  },
  {
    ...kysely,
    name: 'Kysely 0.28',
    outside: ['the database'],
    async open(url) {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
      return {
        transaction: (work) =>
          db
            .transaction()
            .execute((trx) => work({ tx: trx, run: (statement) => sql.raw(statement).execute(trx) })),
        outside: { 'the database': (check) => check(db) },
        close: () => db.destroy(),
      }
    },
  },
  {
    ...prisma,
    name: 'Prisma 6',
    async open(url) {
      const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 2 }) })
      return {
        transaction: (work) =>
          client.$transaction((tx) => work({ tx, run: (statement) => tx.$executeRawUnsafe(statement) })),
        outside: { 'the client': (check) => check(client) },
        close: () => client.$disconnect(),
      }
    },
  },
  {
    ...typeorm,
    name: 'TypeORM 0.3',
    async open(url) {
      const dataSource = await new DataSource({ type: 'postgres', url, poolSize: 2 }).initialize()
      return {
        transaction: (work) =>
          dataSource.transaction((manager) =>
            work({
              tx: manager,
              run: (statement) => manager.query(statement),
              nested: (inner) => manager.transaction(inner),
            }),
          ),
        outside: {
          'the DataSource': (check) => check(dataSource),
          "the DataSource's manager": (check) => check(dataSource.manager),
        },
        close: () => dataSource.destroy(),
      }
    },
  },
  {
    ...mikroOrm,
    name: 'MikroORM 6',
    async open(url) {
      const orm = await MikroORM.init({
        clientUrl: url,
        entities: [],
        discovery: { warnWhenNoEntities: false },
        pool: { min: 0, max: 2 },
      })
      return {
        transaction: (work) =>
          orm.em.transactional((em) =>
            work({
              tx: em,
              run: (statement) => em.execute(statement),
              nested: (inner) => em.transactional((deeper) => inner(deeper)),
            }),
          ),
        outside: {
          "the ORM's EntityManager": (check) => check(orm.em),
          'a fork': (check) => check(orm.em.fork()),
        },
        close: () => orm.close(true),
      }
    },
  },
]
