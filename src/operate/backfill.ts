import type { ActionState } from '../store/actions/run-action.ts'
import type { Database } from '../store/connection/database.ts'

/** What a backfill reads, and what it makes of each row. Stored with the action, so that it can be resumed. */
export interface BackfillSource {
  /** A query without parameters. */
  readonly sql: string
  /** The operation of every intent. */
  readonly as: string
  /** The column whose values are unique. The rows are read in its order. */
  readonly key: string
  readonly workspace: string
}

/** A backfill that was started before. */
export interface BackfillState {
  readonly actionId: string
  readonly source: BackfillSource
  readonly state: ActionState
  readonly total: number
  readonly processed: number
  /** The last key that is enqueued, as text. Null before the first chunk. */
  readonly after: string | null
}

export interface BackfillChunk {
  /** Texts of JSON objects, as `enqueue_many` takes them. */
  readonly intents: readonly string[]
  readonly after: string | null
  readonly upto: string
  readonly isLast: boolean
  /** Rows that were left out because no relay could send them. */
  readonly skipped: number
}

/** @returns the id of the action. */
export async function startBackfill(
  db: Database,
  source: BackfillSource,
  total: number,
  reason: string | undefined,
): Promise<string> {
  const [row] = await db.query<{ id: string }>(`SELECT ${db.names.q}.start_backfill($1, $2, $3) AS id`, [
    JSON.stringify(source),
    total,
    reason ?? null,
  ])
  if (!row) throw new Error('start_backfill returned no row')
  return row.id
}

/** @returns undefined if there is no backfill with this id. */
export async function readBackfill(db: Database, actionId: string): Promise<BackfillState | undefined> {
  const [row] = await db.query<BackfillState>(
    `SELECT action_id AS "actionId", filter AS source, state, total::float8 AS total, processed::float8 AS processed,
            position ->> 'key' AS after
     FROM ${db.names.q}.actions WHERE action_id = $1 AND kind = 'backfill'`,
    [actionId],
  )
  return row
}

/** Enqueues a chunk and records its last key, in one transaction. */
export async function advanceBackfill(
  db: Database,
  actionId: string,
  { intents, after, upto, isLast, skipped }: BackfillChunk,
): Promise<ActionState> {
  const [row] = await db.query<{ state: ActionState }>(
    `SELECT ${db.names.q}.advance_backfill($1, $2::jsonb, to_jsonb($3::text), to_jsonb($4::text), $5, $6) AS state`,
    [actionId, `[${intents.join(',')}]`, after, upto, isLast, skipped],
  )
  if (!row) throw new Error('advance_backfill returned no row')
  return row.state
}
