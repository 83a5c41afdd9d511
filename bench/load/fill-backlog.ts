import type pg from 'pg'
import { dataSql, EVENT_NAME, PEOPLE } from '../workload/payload.ts'

const CHUNK = 250_000

/**
 * Inserts millions of pending intents quickly: refs `from` to `to - 1`, as the TypeScript client stores them, by one
 * INSERT … SELECT per 250,000 rows.
 */
export async function fillBacklog(
  client: pg.Client,
  from: number,
  to: number,
  log: (line: string) => void = () => {},
): Promise<void> {
  for (let at = from; at < to; at += CHUNK) {
    await client.query(INSERT_INTENTS, [at, Math.min(at + CHUNK, to) - 1])
    if (to - from > CHUNK) log(`${Math.min(at + CHUNK, to).toLocaleString('en')} intents enqueued`)
  }
}

/** The id encodes the ref, so the oracle needs no table of ids. */
const ID_PREFIX = '01900000-0000-7000-8000-'
const ID_SQL = `('${ID_PREFIX}' || lpad(to_hex(n), 12, '0'))::uuid`

/** The id of a ref that `fillBacklog` or `insertAtOnce` inserted. */
export function filledId(ref: number): string {
  return ID_PREFIX + ref.toString(16).padStart(12, '0')
}

const INSERT_INTENTS = `
  INSERT INTO outbox.intents (destination, lane, id, format, operation, payload, ordering_key, enqueued_at)
  SELECT 'default/track', p.lane, ${ID_SQL}, 2, 'track',
    outbox.wire_of('track', 'id', p.key, '${EVENT_NAME}', ${dataSql('n')},
                   floor(date_part('epoch', clock_timestamp()))::bigint)::json, p.key, clock_timestamp()
  FROM generate_series($1::int, $2::int) AS n
  JOIN (SELECT p AS person, 'u' || p AS key, outbox.lane_of('default/track', 'u' || p, 'normal') AS lane
        FROM generate_series(0, ${PEOPLE - 1}) AS p) p ON p.person = n % ${PEOPLE}
  ORDER BY n`

/** Inserts refs 0 to `count - 1` and one wake-up in a single transaction, so the whole backlog appears at once. */
export async function insertAtOnce(client: pg.Client, count: number): Promise<void> {
  await client.query('BEGIN')
  await client.query(INSERT_INTENTS, [0, count - 1])
  await client.query(`SELECT pg_notify('outbox:wake', '')`)
  await client.query('COMMIT')
}
