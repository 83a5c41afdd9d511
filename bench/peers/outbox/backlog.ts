import type pg from 'pg'
import { dataSql, EVENT_NAME, payloadSql, personSql } from '../../workload/payload.ts'
import type { Committed } from '../../oracle/judge-arrivals.ts'

const CHUNK = 1_000

/** The id of each event, as an app stores it in its own row. */
const EVENT_IDS = 'CREATE TABLE event_ids (ref integer PRIMARY KEY, id uuid NOT NULL)'

/** Enqueues refs 0 … count - 1 as the TypeScript client does, and stores their ids in the same transactions. */
export async function fill(client: pg.Client, count: number): Promise<void> {
  await client.query(EVENT_IDS)
  for (let from = 0; from < count; from += CHUNK) {
    await client.query(
      `INSERT INTO event_ids (ref, id)
       SELECT $1::int + ordinal - 1, id
       FROM (SELECT array_agg('track'::text) AS operations, array_agg('id'::text) AS kinds,
                    array_agg(${personSql('n')} ORDER BY n) AS persons, array_agg('${EVENT_NAME}'::text) AS names,
                    string_agg(${dataSql('n')}, U&'\\001E' ORDER BY n) AS data, array_agg(-1::bigint) AS times
             FROM generate_series($1::int, $2::int) AS n) AS a,
         outbox.enqueue_wire_many(operations, kinds, persons, names, data, times) AS stored,
         unnest(stored.ids) WITH ORDINALITY AS u(id, ordinal)`,
      [from, Math.min(from + CHUNK, count) - 1],
    )
  }
}

/** As `fill`, but plain SQL enqueues every tenth event. */
export async function fillMixed(client: pg.Client, count: number): Promise<void> {
  await client.query(EVENT_IDS)
  const enqueued = `CASE WHEN n % 10 = 0 THEN (outbox.enqueue('track', ${payloadSql('n')})).id
    ELSE (outbox.enqueue_wire('track', 'id', ${personSql('n')}, '${EVENT_NAME}', ${dataSql('n')}, NULL)).id END`
  for (let from = 0; from < count; from += CHUNK) {
    await client.query(
      `INSERT INTO event_ids (ref, id)
       SELECT n, ${enqueued} FROM generate_series($1::int, $2::int) AS n ORDER BY n`,
      [from, Math.min(from + CHUNK, count) - 1],
    )
  }
}

/** The events that `fill` enqueued. */
export async function committed(client: pg.Client): Promise<Committed> {
  const { rows } = await client.query<{ ref: number; id: string }>('SELECT ref, id FROM event_ids')
  return new Map(rows.map(({ ref, id }) => [ref, id]))
}

/** Checks the database after a complete delivery. Returns a sentence about the violation, if there is one. */
export async function checkSettled(client: pg.Client, count: number): Promise<string | undefined> {
  const { rows } = await client.query<{ pending: number; delivered: number; dead: number }>(
    `SELECT (SELECT count(*) FROM outbox.intents)::int AS pending,
            (SELECT count(DISTINCT id) FROM outbox.delivered)::int AS delivered,
            (SELECT count(*) FROM outbox.dead_letters)::int AS dead`,
  )
  const [found] = rows
  if (found?.pending === 0 && found.delivered === count && found.dead === 0) return undefined
  return `expected ${count} delivered intents, got ${found?.delivered} delivered, ${found?.pending} pending, ${found?.dead} dead letters`
}
