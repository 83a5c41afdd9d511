import { afterAll, beforeAll, describe } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { benchOf } from './bench.ts'
import type { Library } from './library.ts'
import { ignoresErrors } from './on-error.ts'
import { refuses } from './refusals.ts'
import { rollsBack } from './rollback.ts'
import { stores } from './storage.ts'
import { showsEnqueued } from './test-kit.ts'

/** Runs the contract of `outbox.enqueue` on each library. All of them share one database. */
export function contract(libraries: readonly Library[]): void {
  let db: TestDatabase
  beforeAll(async () => {
    db = await createTestDatabase()
  })
  afterAll(async () => {
    await eventually('every library has closed its connections', async () => {
      const [row] = await db.rows<{ count: number }>(
        'SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()',
      )
      return row !== undefined && row.count <= db.pool.totalCount
    })
    await db.drop()
  })

  describe.each(libraries.map((library) => [library.name, library] as const))('%s', (_name, library) => {
    const bench = benchOf(library, () => db)
    stores(bench)
    rollsBack(bench)
    ignoresErrors(bench)
    showsEnqueued(bench)
    refuses(library, bench)
  })
}
