import type { Database } from '../connection/database.ts'

/** Creates missing day partitions of `outbox.delivered` for today and the next two days. */
export async function ensurePartitions(db: Database): Promise<void> {
  await db.query(`SELECT ${db.names.q}.ensure_partitions()`)
}

const CHECK_VIOLATION = '23514'

/** Whether a settlement failed because `outbox.delivered` has no partition for its day: the database's clock has jumped. */
export function missesPartition(error: unknown): boolean {
  const { code, table, constraint } = error as { code?: unknown; table?: unknown; constraint?: unknown }
  return code === CHECK_VIOLATION && table === 'delivered' && constraint === undefined
}
