import type pg from 'pg'
import type { Evidence, Written } from './oracle.ts'

/** The business table: every transaction writes a row here beside each intent, and the row says that it committed. */
export async function createShop(db: pg.Pool | pg.Client): Promise<void> {
  await db.query(`
    CREATE SCHEMA IF NOT EXISTS shop;
    CREATE TABLE IF NOT EXISTS shop.orders (
      ref text PRIMARY KEY, person text NOT NULL, position int NOT NULL, id uuid NOT NULL, is_event boolean NOT NULL)`)
}

/** What the writers remember, in memory and so outside of every transaction. */
export class Ledger {
  /** Refs whose COMMIT was answered. */
  readonly acknowledged = new Set<string>()
  readonly rolledBack = new Set<string>()
  /** Refs whose COMMIT was sent and not answered: their business row says what became of it. */
  readonly unknown = new Set<string>()
  /** By ref: commits that the database lost in a crash or a failover, whether their COMMIT was answered or not. */
  readonly lostCommits = new Map<string, Written>()
  #losses = 0

  /** How many times so far the database may have lost commits. */
  get losses(): number {
    return this.#losses
  }

  /** The database may have lost commits. To be called when it has ended and takes no new ones yet. */
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
 * What the tables say, in one snapshot: the business rows, and what the outbox holds. To be read when no writer is at
 * work any more, and before the receiver's journal: an intent that is delivered meanwhile is then found twice, not missed.
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
