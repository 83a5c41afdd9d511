import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { createOutbox, intents } from '../../src/index.ts'
import { PEOPLE, payloadOf, personOf } from '../workload/payload.ts'

/** The statement that stores the event next to the business write. */
export type Mode =
  /** `outbox.enqueue` with one intent. */
  | 'enqueue'
  /** `outbox.enqueue` with an array. */
  | 'array'
  /** `outbox.enqueue_many` with an array of payloads, as plain SQL calls it. */
  | 'array-payloads'
  /** A bare INSERT of a row with a payload into `outbox.intents`. The client computes all values. */
  | 'bare'
  /** The same INSERT into a table that no relay reads. */
  | 'bare-unread'
  /** INSERT and NOTIFY, for the LISTEN/NOTIFY loop. */
  | 'notify'

/** Stores the events with these refs in the open transaction of `client`, and returns their ids. */
export type Store = (client: pg.Client, refs: readonly number[]) => Promise<readonly string[]>

export async function storeOf(mode: Mode, client: pg.Client): Promise<Store> {
  switch (mode) {
    case 'enqueue': {
      const outbox = createOutbox()
      return async (tx, [ref = 0]) => [(await outbox.enqueue(tx, intentOf(ref))).id]
    }
    case 'array': {
      const outbox = createOutbox()
      return async (tx, refs) => {
        const results = await outbox.enqueue(tx, refs.map(intentOf))
        return results.map(({ id }) => id)
      }
    }
    case 'array-payloads':
      return async (tx, refs) => {
        const { rows } = await tx.query<{ id: string }>(
          'SELECT id FROM outbox.enqueue_many($1::text::jsonb, numbers_checked => true) ORDER BY ordinal',
          [JSON.stringify(refs.map((ref) => ({ operation: 'track', payload: payloadOf(ref) })))],
        )
        return rows.map(({ id }) => id)
      }
    case 'bare':
    case 'bare-unread':
      return bareInsert(mode === 'bare' ? 'outbox.intents' : 'unread_intents', await lanesOf(client))
    case 'notify':
      return async (tx, [ref = 0]) => {
        await tx.query(
          `WITH stored AS (INSERT INTO backlog (payload) VALUES ($1))
           SELECT pg_notify('backlog', '')`,
          [JSON.stringify(payloadOf(ref))],
        )
        return []
      }
  }
}

function intentOf(ref: number) {
  const { customerId, name, data } = payloadOf(ref)
  return intents.track(customerId, name, { ...data })
}

/** The lane of each person. Computed in advance, so the bare INSERT computes nothing in the database. */
export async function lanesOf(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query<{ lane: number }>(
    `SELECT outbox.lane_of('default/track', 'u' || n, 'normal') AS lane
     FROM generate_series(0, $1::int - 1) AS n ORDER BY n`,
    [PEOPLE],
  )
  return rows.map(({ lane }) => lane)
}

function bareInsert(table: string, lanes: readonly number[]): Store {
  return async (tx, [ref = 0]) => {
    const { id, text, values } = insertIntent(table, lanes, ref)
    await tx.query(text, values)
    return [id]
  }
}

/** The INSERT of a row with a payload. Every value is text. */
export function insertIntent(table: string, lanes: readonly number[], ref: number) {
  const id = randomUUID()
  const payload = JSON.stringify(payloadOf(ref))
  return {
    id,
    text: `INSERT INTO ${table} (destination, lane, id, operation, payload, ordering_key, enqueued_at)
       VALUES ($1::text, $2::text::smallint, $3::text::uuid, $4::text, $5::text::json, $6::text, clock_timestamp())`,
    values: ['default/track', String(lanes[ref % PEOPLE]), id, 'track', payload, personOf(ref)],
  }
}

/** The business write of every transaction. */
export const ORDERS = `CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person text NOT NULL, total integer NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT now())`

export function placeOrder(client: pg.Client, ref: number): Promise<unknown> {
  return client.query('INSERT INTO orders (person, total) VALUES ($1, $2)', [personOf(ref), ref % 1_000])
}
