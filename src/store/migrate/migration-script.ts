import type { Names } from '../names.ts'
import { SHORT_LOCKS } from './migration-locks.ts'
import type { Migration } from './migrations.ts'

/** The table of applied migrations. An older table has no `oldest_relay`. */
export function recordStatements({ q }: Names): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${q}.migrations (
  version integer PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    `ALTER TABLE ${q}.migrations ADD COLUMN IF NOT EXISTS oldest_relay integer`,
  ]
}

/**
 * Writes the script that applies migrations and records them, each in a transaction of its own, and that creates the
 * partitions of `outbox.delivered`. pg-boss' schema and the roles are not in it.
 */
export function scriptOf(names: Names, pending: readonly Migration[]): string {
  return [
    `CREATE SCHEMA IF NOT EXISTS ${names.q};`,
    ...recordStatements(names).map((statement) => `${statement};`),
    ...pending.flatMap(({ version, hash, oldestRelay, statements }) => [
      'BEGIN;',
      SHORT_LOCKS,
      ...statements.map((statement) => (statement.endsWith(';') ? statement : `${statement};`)),
      `INSERT INTO ${names.q}.migrations (version, hash, oldest_relay) VALUES (${version}, '${hash}', ${oldestRelay});`,
      'COMMIT;',
    ]),
    `SELECT ${names.q}.ensure_partitions();`,
  ].join('\n')
}
