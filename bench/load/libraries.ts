import type { Library } from '../../test/libraries/contract/library.ts'
import { drizzlePg, drizzlePostgres } from '../../test/libraries/open/drizzle.ts'
import { knex, objection } from '../../test/libraries/open/knex.ts'
import { kysely } from '../../test/libraries/open/kysely.ts'
import { mikroOrm } from '../../test/libraries/open/mikro-orm.ts'
import { pgPromise } from '../../test/libraries/open/pg-promise.ts'
import { pgClient } from '../../test/libraries/open/pg.ts'
import { postgresJs } from '../../test/libraries/open/postgres-js.ts'
import { prisma } from '../../test/libraries/open/prisma.ts'
import { sequelize } from '../../test/libraries/open/sequelize.ts'
import { slonik } from '../../test/libraries/open/slonik.ts'
import { typeorm } from '../../test/libraries/open/typeorm.ts'

/** The libraries of the contract suite that connect to the benchmark's server by TCP, at their current versions. */
export const LIBRARIES: readonly Library[] = [
  pgClient,
  postgresJs,
  pgPromise,
  slonik,
  drizzlePg,
  drizzlePostgres,
  kysely,
  knex,
  objection,
  prisma,
  typeorm,
  mikroOrm,
  sequelize,
]
