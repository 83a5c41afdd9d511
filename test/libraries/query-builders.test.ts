import { contract } from './contract/contract.ts'
import { knex, knexAdapter, objection } from './open/knex.ts'
import { kysely, kyselyAdapter, kyselyControlled } from './open/kysely.ts'

contract([kysely, kyselyControlled, kyselyAdapter, knex, objection, knexAdapter])
