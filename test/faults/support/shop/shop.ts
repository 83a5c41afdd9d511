import type pg from 'pg'
import type { Evidence, Written } from './oracle.ts'

/** Creates the business table. Every transaction writes one row per intent, which proves that the transaction committed. */
export async function createShop(db: pg.Pool | pg.Client): Promise<void> {
  await db.query(`
    CREATE SCHEMA IF NOT EXISTS shop;
    CREATE TABLE IF NOT EXISTS shop.orders (
      ref text PRIMARY KEY, person text NOT NULL, position int NOT NULL, id uuid NOT NULL, is_event boolean NOT NULL)`)
}

/** The records of the writers, in memory and so independent of any transaction. */
export class Ledger {
  /** Refs whose COMMIT was confirmed. */
  readonly acknowledged = new Set<string>()
  readonly rolledBack = new Set<string>()
  /** Refs whose COMMIT was sent and not confirmed. Their business row shows whether it succeeded. */
  readonly unknown = new Set<string>()
  /** By ref: commits that the database lost in a crash or a failover, confirmed or not. */
  readonly lostCommits = new Map<string, Written>()
  #losses = 0

  /** Number of incidents so far in which the database may have lost commits. */
  get losses(): number {
    return this.#losses
  }

  /** Records that the database may have lost commits. Call it after the crash and before the database accepts new ones. */
  beginLoss(): void {
    this.#losses++
  }

  enterLost(commits: Iterable<Written>): void {
    for (const commit of commits) this.lostCommits.set(commit.ref, commit)
  }

  enter(outcome: 'acknowledged' | 'rolledBack' | 'unknown', refs: Iterable<string>): void {
    for (const ref of refs) this[outcome].add(ref)
  }
}

/**
 * Reads the business rows and the outbox's tables in one snapshot. Call it after all writers have ended, and before reading
 * the receiver's journal: an intent that is delivered in between is then found twice, not missed.
 *
 * @param db A connection that is not a relay's.
 */
export async function readTables(
  db: pg.Client,
  schema = 'outbox',
): Promise<Pick<Evidence, 'written' | 'pending' | 'deadLettered'>> {
  const refsOf = async (table: string) => {
    const { rows } = await db.query<{ ref: string }>(
      `SELECT coalesce(payload #>> '{data,ref}', payload #>> '{attributes,ref}', id::text) AS ref FROM "${schema}".${table}`,
    )
    return rows.map(({ ref }) => ref)
  }
  await db.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    const { rows: written } = await db.query<Written>(
      'SELECT ref, person, position, id, is_event AS "isEvent" FROM shop.orders',
    )
    return { written, pending: await refsOf('intents'), deadLettered: await refsOf('dead_letters') }
  } finally {
    await db.query('COMMIT')
  }
}
