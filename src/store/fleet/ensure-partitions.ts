import type { Database } from '../connection/database.ts'

/**
 * Creates the missing partitions that settlements need today and in the next two days.
 *
 * @param payloadDays For how many days workspaces keep delivered payloads: `outbox.archive` needs partitions for each number.
 */
export async function ensurePartitions(db: Database, payloadDays: readonly number[]): Promise<void> {
  await db.query(`SELECT ${db.names.q}.ensure_partitions($1::int[])`, [payloadDays])
}

const CHECK_VIOLATION = '23514'
const PARTITIONED: ReadonlySet<unknown> = new Set(['delivered', 'archive'])

/** Whether a settlement failed because a table has no partition for its day: the database's clock has jumped. */
export function missesPartition(error: unknown): boolean {
  const { code, table, constraint } = error as { code?: unknown; table?: unknown; constraint?: unknown }
  return code === CHECK_VIOLATION && PARTITIONED.has(table) && constraint === undefined
}
