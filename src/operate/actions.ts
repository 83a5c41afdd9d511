import { setTimeout as delay } from 'node:timers/promises'
import type { ActionKind, ActionState } from '../store/actions/run-action.ts'
import type { Database } from '../store/connection/database.ts'
import type { DeadLetterFilter, IntentFilter, PersonFilter } from './filters.ts'

/** The filter of each kind of action. */
export interface FilterOf {
  readonly redrive: DeadLetterFilter
  readonly discard: DeadLetterFilter
  readonly replay: IntentFilter
  readonly erase: PersonFilter
  readonly cancel: IntentFilter
  readonly reschedule: IntentFilter
}

interface Paced {
  /** Intents a second. Default: as many as the database takes. */
  readonly rate?: number | undefined
}

interface Resent extends Paced {
  /**
   * Give the intents the present time. An old identify then overwrites a newer one.
   *
   * @default false: each keeps the time of its business write, and Customer.io ignores an identify that is older than the last one.
   */
  readonly restamp?: boolean | undefined
}

/** The options of each kind of action. */
export interface OptionsOf {
  readonly redrive: Resent
  readonly discard: Paced
  readonly replay: Resent
  readonly erase: {
    /** Also tell Customer.io, after everything that is under way: delete the person, or delete and block the identifier. */
    readonly also?: 'destroy' | 'suppress' | undefined
  }
  readonly cancel: Paced
  readonly reschedule: Paced & {
    /** When the intents are sent. A past time: now. */
    readonly at: Date | string
  }
}

export type BulkKind = keyof FilterOf

/**
 * What a bulk action would touch.
 *
 * @example
 * ```ts
 * import { createOperator, type Preview } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const { intents, people, plan }: Preview = await operator.preview('redrive', { reason: 'rejected' })
 * console.log(`${plan}: ${intents} intents of ${people} people`)
 * ```
 */
export interface Preview {
  readonly intents: number
  /** Different ordering keys, usually people. */
  readonly people: number
  /** When the first and the last of the intents were enqueued. Null if there is none. */
  readonly oldest: Date | null
  readonly newest: Date | null
  /**
   * Identifies of people for whom a newer identify is queued or delivered. Customer.io ignores them. With `restamp` they
   * overwrite the newer one.
   */
  readonly staleIdentifies: number
  /** Names exactly this set, kind and options. `apply` takes it. */
  readonly plan: string
}

/**
 * A bulk action and its progress.
 *
 * @example
 * ```ts
 * import { createOperator, type ActionStatus } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const open: ActionStatus[] = (await operator.actions()).filter(({ state }) => state === 'running')
 * ```
 */
export interface ActionStatus {
  readonly actionId: string
  readonly kind: ActionKind
  readonly state: ActionState
  /** Intents that matched when the action was requested. */
  readonly total: number
  readonly processed: number
  /** The database user. */
  readonly requestedBy: string
  readonly reason: string | null
  readonly requestedAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  /** Of the last chunk that failed. */
  readonly error: string | null
  /** Why nothing happens. Null if a relay can carry out the action. */
  readonly waiting: string | null
  /** Counts by table, for an erase. */
  readonly result: Readonly<Record<string, unknown>>
}

export async function previewAction(
  db: Database,
  kind: BulkKind,
  filter: object,
  options: object,
): Promise<Preview> {
  const [row] = await db.query<Preview>(
    `SELECT intents::float8 AS intents, people::float8 AS people, oldest, newest,
            stale_identifies::float8 AS "staleIdentifies", plan
     FROM ${db.names.q}.preview($1, $2, $3)`,
    [kind, JSON.stringify(filter), JSON.stringify(options)],
  )
  if (!row) throw new Error('preview returned no row')
  return row
}

/** @returns the id of the action. */
export async function applyAction(
  db: Database,
  kind: BulkKind,
  filter: object,
  plan: string,
  { reason, ...options }: { readonly reason?: string | undefined },
): Promise<string> {
  const [row] = await db.query<{ id: string }>(`SELECT ${db.names.q}.apply($1, $2, $3, $4, $5) AS id`, [
    kind,
    JSON.stringify(filter),
    plan,
    reason ?? null,
    JSON.stringify(options),
  ])
  if (!row) throw new Error('apply returned no row')
  return row.id
}

export async function cancelAction(db: Database, actionId: string): Promise<boolean> {
  const [row] = await db.query<{ cancelled: boolean }>(`SELECT ${db.names.q}.cancel($1) AS cancelled`, [
    actionId,
  ])
  return row?.cancelled ?? false
}

/** The newest actions first. */
export async function readActions(db: Database, limit: number, actionId?: string): Promise<ActionStatus[]> {
  return db.query<ActionStatus>(
    `SELECT action_id AS "actionId", kind, state, total::float8 AS total, processed::float8 AS processed,
            requested_by AS "requestedBy", reason, requested_at AS "requestedAt", started_at AS "startedAt",
            finished_at AS "finishedAt", error, waiting, result
     FROM ${db.names.q}.action_status WHERE $2::uuid IS NULL OR action_id = $2
     ORDER BY requested_at DESC LIMIT $1`,
    [limit, actionId ?? null],
  )
}

/** Reads an action every half second, until it has ended. */
export async function* followAction(
  db: Database,
  actionId: string,
  signal?: AbortSignal,
): AsyncGenerator<ActionStatus, void, void> {
  while (!signal?.aborted) {
    const [status] = await readActions(db, 1, actionId)
    if (!status) throw new Error(`Expected an action ${actionId}, got none: look at the view action_status`)
    yield status
    if (status.finishedAt !== null) return
    await delay(500, undefined, { signal }).catch(() => {}) // aborted
  }
}
