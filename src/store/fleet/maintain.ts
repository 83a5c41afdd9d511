import type { Database } from '../connection/database.ts'
import { ensurePartitions } from './ensure-partitions.ts'
import { registerWorkspaces } from './register-workspaces.ts'

export interface Maintenance {
  /** The workspaces that the relay serves: it has credentials for them. */
  readonly workspaces: readonly string[]
  /** For how many days the workspaces keep delivered payloads. */
  readonly payloadDays: readonly number[]
  /** Days to keep delivered rows. */
  readonly deliveredRetentionDays: number
  /** Whether the relay is about to stop. Then the rest of the expired dedup keys is left to the next maintenance. */
  readonly isEnding: () => boolean
}

/**
 * Creates the next partitions, registers workspaces, and deletes old rows: partitions, expired dedup keys, settled
 * counts, dead relays and transitions of breakers. Safe to repeat: if one relay has done the work, the others find
 * nothing to do.
 */
export async function maintain(
  db: Database,
  { workspaces, payloadDays, deliveredRetentionDays, isEnding }: Maintenance,
): Promise<void> {
  const q = db.names.q
  await unlessLocked(ensurePartitions(db, payloadDays))
  await unlessLocked(
    db.query(`SELECT ${q}.prune_delivered(make_interval(days => $1))`, [deliveredRetentionDays]),
  )
  await unlessLocked(db.query(`SELECT ${q}.prune_archive()`))
  await unlessLocked(db.query(`SELECT ${q}.summarize_delivered()`))
  await unlessLocked(registerWorkspaces(db, workspaces))
  for (let removed = 1; removed > 0 && !isEnding(); ) {
    const [row] = await db.query<{ removed: number }>(
      `WITH deleted AS (
         DELETE FROM ${q}.dedup d USING (
           SELECT workspace, key FROM ${q}.dedup WHERE expires_at <= statement_timestamp()
           ORDER BY expires_at LIMIT 10000 FOR UPDATE SKIP LOCKED) e
         WHERE d.workspace = e.workspace AND d.key = e.key RETURNING 1)
       SELECT count(*)::int AS removed FROM deleted`,
    )
    removed = row?.removed ?? 0
  }
  await db.query(`DELETE FROM ${q}.settled_counts WHERE minute < now() - interval '1 day'`)
  await db.query(`DELETE FROM ${q}.relays WHERE last_seen_at < now() - interval '1 hour'`)
  await db.query(`DELETE FROM ${q}.breaker_transitions WHERE at < now() - interval '30 days'`)
}

const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Waits for a statement. Ignores its failure if another session, such as a reader of `outbox.delivered`, holds a lock that it
 * needs: the next maintenance is early enough.
 */
async function unlessLocked(statement: Promise<unknown>): Promise<void> {
  try {
    await statement
  } catch (error) {
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error
  }
}
