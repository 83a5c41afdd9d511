import type { Database } from '../store/connection/database.ts'

/**
 * One event in the life of an intent.
 *
 * @example
 * ```ts
 * import { createOperator, type FoundEvent } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const events: FoundEvent[] = await operator.find('jane@example.com')
 * ```
 */
export interface FoundEvent {
  /** The intent's id. */
  readonly id: string
  /** Of `pending` and `scheduled`: the present. */
  readonly at: Date
  readonly event:
    | 'enqueued'
    | 'pending'
    | 'scheduled'
    | 'delivered'
    | 'suppressed_by_config'
    | 'dead'
    | 'edited'
    | 'redriven'
    | 'discarded'
    | 'replayed'
    | 'cancelled'
    | 'rescheduled'
  /** Null for an intent of which only the history is left. */
  readonly destination: string | null
  readonly operation: string | null
  readonly name: string | null
  readonly orderingKey: string | null
  /** Why it waits, why it died, or who did it. */
  readonly detail: string | null
}

export async function findEvents(db: Database, what: string, maxIntents: number): Promise<FoundEvent[]> {
  return db.query<FoundEvent>(
    `SELECT id, at, event, destination, operation, name, ordering_key AS "orderingKey", detail
     FROM ${db.names.q}.find($1, $2)`,
    [what, maxIntents],
  )
}
