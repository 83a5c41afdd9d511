import { contract } from './contract/contract.ts'
import { bunAdapter, bunShape } from './open/bun-shape.ts'
import { neonServerless } from './open/neon.ts'
import { adapter, pgClient, pgPool, zapatos } from './open/pg.ts'
import { pgPromise } from './open/pg-promise.ts'
import { pglite } from './open/pglite.ts'
import { postgresJs } from './open/postgres-js.ts'
import { slonik } from './open/slonik.ts'

contract([
  pgClient,
  pgPool,
  adapter,
  zapatos,
  pglite,
  postgresJs,
  pgPromise,
  slonik,
  neonServerless,
  bunShape,
  bunAdapter,
])
