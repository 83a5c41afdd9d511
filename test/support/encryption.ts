import { randomBytes } from 'node:crypto'
import type { EncryptionKey } from '../../src/index.ts'
import type { TestDatabase } from './database.ts'

/** A key with random bytes. */
export function newKey(id: string): EncryptionKey & { readonly key: string } {
  return { id, key: randomBytes(32).toString('base64') }
}

/** The text of a ring, as `OUTBOX_ENCRYPTION_KEYS` has it. */
export function ringText(...keys: ReturnType<typeof newKey>[]): string {
  return keys.map(({ id, key }) => `${id}:${key}`).join(',')
}

/** Every row of every table and view of the outbox's schemas, as text. */
export async function dumpDatabase(db: TestDatabase): Promise<string> {
  const tables = await db.rows<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname IN ('outbox', 'outbox_pgboss')`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const rows = await db.rows<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
    texts.push(name, ...rows.map(({ row }) => row))
  }
  return texts.join('\n')
}
