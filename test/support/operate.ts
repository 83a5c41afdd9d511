import type { Intent } from '../../src/index.ts'
import { eventually } from './eventually.ts'
import type { Harness } from './relay-harness.ts'

export interface Preview {
  readonly intents: string
  readonly people: string
  readonly oldest: Date | null
  readonly newest: Date | null
  readonly stale_identifies: string
  readonly plan: string
}

export interface ActionRow {
  readonly state: string
  readonly total: string
  readonly processed: string
  readonly waiting: string | null
  readonly result: Record<string, unknown>
}

/** The operator's SQL functions, on the database of a harness. */
export function operate({ db, enqueue }: Harness) {
  const preview = async (kind: string, filter: object, options: object = {}): Promise<Preview> => {
    const [row] = await db.rows<Preview & Record<string, unknown>>(
      'SELECT * FROM outbox.preview($1, $2, $3)',
      [kind, filter, options],
    )
    if (!row) throw new Error('preview returned no row')
    return row
  }
  const status = async (id: string): Promise<ActionRow> => {
    const [row] = await db.rows<ActionRow & Record<string, unknown>>(
      'SELECT * FROM outbox.action_status WHERE action_id = $1',
      [id],
    )
    if (!row) throw new Error(`there is no action ${id}`)
    return row
  }
  return {
    preview,
    status,
    /** Previews and applies an action. Returns its id. */
    apply: async (kind: string, filter: object, options: object = {}, reason?: string): Promise<string> => {
      const { plan } = await preview(kind, filter, options)
      const [row] = await db.rows<{ id: string }>('SELECT outbox.apply($1, $2, $3, $4, $5) AS id', [
        kind,
        filter,
        plan,
        reason ?? null,
        options,
      ])
      return row?.id ?? ''
    },
    /** Waits until an action is in a state. */
    ended: (id: string, state = 'done', withinMs?: number): Promise<ActionRow> =>
      eventually(
        `action ${state}`,
        async () => {
          const row = await status(id)
          return row.state === state ? row : undefined
        },
        withinMs,
      ),
    /** Waits until an action has processed so many intents. */
    processed: (id: string, atLeast: number): Promise<ActionRow> =>
      eventually('progress of the action', async () => {
        const row = await status(id)
        return Number(row.processed) >= atLeast ? row : undefined
      }),
    /** Waits until a breaker is in a state. */
    breaker: (destination: string, state: string): Promise<true> =>
      eventually(`breaker ${state}`, async () => {
        const rows = await db.rows('SELECT FROM outbox.breakers WHERE destination = $1 AND state = $2', [
          destination,
          state,
        ])
        return rows.length > 0 || undefined
      }),
    /** Enqueues intents and makes dead letters of them, as a relay does after a 400. Returns their ids. */
    deadLetters: async (...intents: Intent[]): Promise<string[]> => {
      const ids = await enqueue(...intents)
      await db.rows(
        `WITH dead AS (DELETE FROM outbox.intents WHERE id = ANY ($1) RETURNING *)
         INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, name, payload, ordering_key, priority,
           on_ambiguous, enqueued_at, expires_at, dead_at, reason, status, message)
         SELECT id, destination, seq, 1, operation, name, outbox.payload_of(format, operation, payload, enqueued_at),
           ordering_key, priority, on_ambiguous, enqueued_at, expires_at, clock_timestamp(), 'rejected', 400, 'bad name'
         FROM dead`,
        [ids],
      )
      return ids
    },
  }
}
