import { scriptOf } from '../store/migrate/migration-script.ts'
import { readMigrations } from '../store/migrate/migrations.ts'
import { readSchemaState } from '../store/migrate/schema-version.ts'
import { namesOf } from '../store/names.ts'
import { isPglite, type PgliteLike } from './pglite.ts'

/**
 * The options of `migratePglite`.
 *
 * @example
 * ```ts
 * import type { MigratePgliteOptions } from 'customerio-outbox/testing'
 *
 * const options: MigratePgliteOptions = { schema: 'outbox' }
 * ```
 */
export interface MigratePgliteOptions {
  /**
   * The outbox's schema, as `createOutbox` gets it.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
}

/**
 * Creates the outbox's schema in a PGlite database, so that a unit test can enqueue without a server. The
 * schema has everything but the roles and pg-boss' own schema, so a relay cannot start on it. `deliverInto` can.
 *
 * A second call changes nothing. It must not run inside a transaction.
 *
 * @param db A PGlite database that the test has created.
 * @param options The schema's name.
 * @returns when the schema is there.
 * @throws TypeError if `db` is no PGlite database.
 *
 * @example
 * ```ts
 * import { PGlite } from '@electric-sql/pglite'
 * import { createOutbox, intents } from 'customerio-outbox'
 * import { expectEnqueued, migratePglite } from 'customerio-outbox/testing'
 *
 * const pglite = await PGlite.create()
 * await migratePglite(pglite)
 * await pglite.transaction(async (tx) => {
 *   await createOutbox().enqueue(tx, intents.track('u1', 'signed_up'))
 *   await expectEnqueued(tx, { operation: 'track', name: 'signed_up' })
 * })
 * ```
 */
export async function migratePglite(db: PgliteLike, options: MigratePgliteOptions = {}): Promise<void> {
  if (!isPglite(db)) {
    throw new TypeError(
      'Expected db to be a PGlite database, got a value without exec and query: pass the result of PGlite.create(). For a server, call migrate of customerio-outbox/relay',
    )
  }
  const names = namesOf(options.schema)
  const found = await readSchemaState(
    async <Row>(text: string, values: readonly unknown[] = []) =>
      (await db.query<Row>(text, [...values])).rows,
    names,
  )
  const pending = readMigrations(names).slice(found?.version ?? 0)
  if (pending.length === 0) return
  // The bodies of functions were checked when the package was tested. To check them here takes a quarter of the time.
  await db.exec(`SET check_function_bodies = off; ${scriptOf(names, pending)} RESET check_function_bodies;`)
}
