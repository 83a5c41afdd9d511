import type { Queryable } from '../../../observe/views/queryable.ts'
import type { Names } from '../../../store/names.ts'
import type { Expectation } from './check.ts'

/** The part of the evidence that is in tables: the shop's, and those of the outbox. */
export interface StoredEvidence {
  readonly expected: readonly Expectation[]
  readonly rolledBack: ReadonlySet<string>
  readonly deadLettered: ReadonlySet<string>
  readonly pending: ReadonlySet<string>
}

export async function readEvidence(db: Queryable, names: Names, run: string): Promise<StoredEvidence> {
  const refs = async (text: string) =>
    new Set(((await db.query(text, [run])).rows as { ref: string }[]).map(({ ref }) => ref))
  const marked = (table: string) =>
    refs(
      `SELECT coalesce(payload #>> '{data,ref}', payload #>> '{attributes,ref}') AS ref
       FROM ${names.q}.${table} WHERE starts_with(ordering_key, $1)`,
    )
  const { rows } = await db.query(
    `SELECT ref, person_id AS "personId", position, is_event AS "isEvent" FROM outbox_demo.expected WHERE run = $1`,
    [run],
  )
  return {
    expected: rows as Expectation[],
    rolledBack: await refs('SELECT ref FROM outbox_demo.rolled_back WHERE run = $1'),
    deadLettered: await marked('dead_letters'),
    pending: await marked('intents'),
  }
}

/** Counts the breaker transitions after the ordinal `after`, by `from → to`. */
export async function readTransitions(
  db: Queryable,
  names: Names,
  after: number,
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await db.query(
    `SELECT replace(from_state || ' → ' || to_state, '_', ' ') AS change, count(*)::int AS count
     FROM ${names.q}.breaker_transitions WHERE ordinal > $1 GROUP BY 1 ORDER BY min(ordinal)`,
    [after],
  )
  return Object.fromEntries(
    (rows as { change: string; count: number }[]).map((row) => [row.change, row.count]),
  )
}

export async function lastTransition(db: Queryable, names: Names): Promise<number> {
  const { rows } = await db.query(
    `SELECT coalesce(max(ordinal), 0)::float8 AS last FROM ${names.q}.breaker_transitions`,
  )
  return (rows as { last: number }[])[0]?.last ?? 0
}
