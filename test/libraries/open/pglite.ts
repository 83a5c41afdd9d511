import { PGlite } from '@electric-sql/pglite'
import { readMigrations } from '../../../src/store/migrate/migrations.ts'
import { namesOf } from '../../../src/store/names.ts'
import type { Library } from '../contract/library.ts'

export const pglite: Library = {
  name: 'PGlite 0.5',
  refusal: /got a PGlite .*, use the tx of db\.transaction\(async \(tx\) => …\)/,
  outside: ['the database'],
  knowsItsEnd: true,
  async open() {
    const db = await migratedPglite()
    return {
      transaction: (work) => db.transaction((tx) => work({ tx, run: (statement) => tx.query(statement) })),
      outside: { 'the database': (check) => check(db) },
      rows: async (statement) => (await db.query<Record<string, unknown>>(statement)).rows,
      close: () => db.close(),
    }
  },
}

/** An in-process Postgres with the tables and functions of the package, but without pg-boss, which only the relay uses. */
export async function migratedPglite(): Promise<PGlite> {
  const db = await PGlite.create()
  for (const { statements } of readMigrations(namesOf())) {
    for (const statement of statements) await db.exec(statement)
  }
  return db
}
