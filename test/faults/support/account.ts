import type { Harness } from '../../support/relay-harness.ts'
import { describeFindings, judge, uuidOf } from './shop/oracle.ts'

/** The number of intents in each state, read by a second connection. */
export interface Account {
  readonly delivered: number
  readonly dead: number
  readonly pending: number
  /** Sum of the charged attempts of pending intents. */
  readonly attempts: number
}

/**
 * Counts each of the committed ids once. Throws if one is in no state or in two: committed must be within
 * delivered ∪ dead-lettered ∪ pending.
 */
export async function accountFor(h: Pick<Harness, 'db'>, ids: readonly string[]): Promise<Account> {
  const rows = await h.db.rows<{
    id: string
    delivered: number
    dead: number
    pending: number
    attempts: number
  }>(
    `SELECT id,
            (SELECT count(*) FROM outbox.delivered d WHERE d.id = c.id)::int AS delivered,
            (SELECT count(*) FROM outbox.dead_letters l WHERE l.id = c.id)::int AS dead,
            (SELECT count(*) FROM outbox.intents i WHERE i.id = c.id)::int AS pending,
            (SELECT coalesce(sum(i.attempts), 0) FROM outbox.intents i WHERE i.id = c.id)::int AS attempts
     FROM unnest($1::uuid[]) AS c(id)`,
    [ids],
  )
  const wrong = rows.filter(({ delivered, dead, pending }) => delivered + dead + pending !== 1)
  if (wrong.length > 0)
    throw new Error(`expected every intent in exactly one state, got ${JSON.stringify(wrong.slice(0, 5))}`)
  const sum = (of: keyof Account) => rows.reduce((total, row) => total + row[of], 0)
  return {
    delivered: sum('delivered'),
    dead: sum('dead'),
    pending: sum('pending'),
    attempts: sum('attempts'),
  }
}

/**
 * Applies the oracle to events, which it identifies by the ids that they carry, not by a `ref`.
 *
 * @param ids The ids of the events, in the order of their commits.
 * @returns the findings: lost, out of order, applied twice, sent again changed. Empty if no promise was violated.
 */
export async function findings(
  { db, fake }: Pick<Harness, 'db' | 'fake'>,
  ids: readonly string[],
): Promise<string[]> {
  const idsOf = async (table: string) =>
    (await db.rows<{ id: string }>(`SELECT id FROM outbox.${table}`)).map(({ id }) => id)
  const [pending, deadLettered] = [await idsOf('intents'), await idsOf('dead_letters')]
  const received = <Operation extends { ulid: string | undefined }>(operation: Operation) => {
    const ref = operation.ulid === undefined ? undefined : uuidOf(operation.ulid)
    return { ...operation, body: { attributes: { ref } } }
  }
  const people = new Map(fake.applied.map(({ ulid, personKey }) => [ulid && uuidOf(ulid), personKey]))
  const written = ids.map((id, position) => ({
    ref: id,
    person: people.get(id) ?? '',
    position,
    id,
    isEvent: true,
  }))
  return describeFindings(
    judge({
      written,
      acknowledged: new Set(ids),
      rolledBack: new Set(),
      pending,
      deadLettered,
      applied: fake.applied.map(received),
      duplicates: fake.duplicates.map(received),
    }),
  )
}

/** The transitions of a breaker, such as `closed>open`, in the order in which they were recorded. */
export async function transitions(h: Pick<Harness, 'db'>, destination = 'default/track'): Promise<string[]> {
  const rows = await h.db.rows<{ t: string }>(
    `SELECT from_state || '>' || to_state AS t FROM outbox.breaker_transitions WHERE destination = $1 ORDER BY ordinal`,
    [destination],
  )
  return rows.map(({ t }) => t)
}

/** The destination's row of the view `breaker_state`. */
export async function breakerState(h: Pick<Harness, 'db'>, destination = 'default/track') {
  const [row] = await h.db.rows<{
    state: string
    failure_count: number
    last_error: string | null
    opened_at: Date | null
    retry_at: Date | null
  }>('SELECT * FROM outbox.breaker_state WHERE destination = $1', [destination])
  return row
}
