import { contract } from './contract/contract.ts'
import { drizzleAdapter, drizzleOverPglite, drizzlePg, drizzlePostgres } from './open/drizzle.ts'
import { knex, knexAdapter, objection } from './open/knex.ts'
import { kysely, kyselyAdapter, kyselyControlled } from './open/kysely.ts'
import { drizzleNeon } from './open/neon.ts'

contract([
  kysely,
  kyselyControlled,
  kyselyAdapter,
  knex,
  objection,
  knexAdapter,
  drizzlePg,
  drizzlePostgres,
  drizzleOverPglite,
  drizzleNeon,
  drizzleAdapter,
])
