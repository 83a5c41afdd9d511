import type { Database } from '../connection/database.ts'
import { durably, type Fence, isLower, type RowIdentity, serverStart } from './lane.ts'

export type DeadLetterReason = 'rejected' | 'too_large' | 'expired' | 'invalid' | 'ambiguous' | 'exhausted'

export interface DeadLetter extends RowIdentity {
  readonly reason: DeadLetterReason
  readonly status?: number | undefined
  readonly field?: string | undefined
  readonly message?: string | undefined
}

export interface Settlement {
  /** What Customer.io has taken. */
  readonly delivered: readonly RowIdentity[]
  readonly dead: readonly DeadLetter[]
  /** What the workspace's `allowRecipients` kept from being sent. */
  readonly suppressed?: readonly RowIdentity[]
  /** By `id` of an intent, Customer.io's own id of a transactional message. */
  readonly deliveryIds?: ReadonlyMap<string, string>
}

/** An event that arrives later than this triggers no campaign (Customer.io's Track API). */
export const CAMPAIGN_WINDOW_HOURS = 72

/** The lane was taken by another relay, or the server changed: nothing more may be sent in this turn. */
export class FencedError extends Error {
  override readonly name = 'FencedError'

  constructor({ destination, lane, epoch }: Fence) {
    super(
      `epoch ${epoch} of lane ${lane} of ${destination} is over: another relay or another server has the lane`,
    )
  }
}

export interface Settled {
  /** How many were delivered after the time in which an event triggers a campaign. */
  readonly missedCampaign: number
  /** Another server answered than the one that gave the lane: the turn must end. */
  readonly serverChanged: boolean
}

/**
 * Moves intents out of the queue in one statement: to `delivered`, or to `dead_letters`. The statement itself checks the
 * epoch, and holds it until the commit, which is on disk when the promise resolves.
 *
 * Rows are found by the range of their `seq` and settled by `id`. What else is in the range was read past, too, and a list of
 * numbers took 0.4 ms more of a thousand. After a failover that lost commits, other intents have the same `seq`,
 * and the restored lane has the same epoch: the answer that arrives late is not about them. What has both is settled,
 * also on another server: Customer.io has taken it, and sending it again would be worse.
 *
 * @throws {FencedError} if the lane has a newer epoch: nothing was settled.
 */
export async function settle(db: Database, fence: Fence, settlement: Settlement): Promise<Settled> {
  const { text, values } = statementOf(db.names.q, fence, settlement)
  const [row] = await db.query<{ fenced: boolean; late: number; server: string }>(text, values)
  if (row?.fenced !== false) throw new FencedError(fence)
  return { missedCampaign: row.late, serverChanged: row.server !== fence.server }
}

/** SQL: the minute in which a time is, as `date_trunc` gives it, which takes longer because it asks for the time zone. */
const minuteOf = (time: string) => `date_bin('1 minute', ${time}, timestamptz '2000-01-01 00:00:00+00')`

/**
 * The statement has only the parts that the settlement asks for. Nearly always everything was delivered: the
 * plain form takes a tenth less time than the full one. No infinite time
 * makes it fail: what has an infinite `enqueued_at` is a dead letter, and an infinite `send_after` is left out.
 */
function statementOf(q: string, fence: Fence, { delivered, dead, suppressed = [], deliveryIds }: Settlement) {
  const values: unknown[] = [fence.destination, fence.lane, fence.epoch, fence.relayId]
  const bind = (value: unknown) => `$${values.push(value)}`
  const others = dead.length + suppressed.length > 0
  const all: readonly RowIdentity[] = others ? [...delivered, ...dead, ...suppressed] : delivered
  const [from, to] = rangeOf(all).map(bind)
  // As text: pg would quote each of thousands by itself.
  const ids = bind(`{${all.map(({ id }) => id).join(',')}}`)
  const deadIds = dead.length > 0 ? bind(dead.map(({ id }) => id)) : undefined
  const suppressedIds = suppressed.length > 0 ? bind(suppressed.map(({ id }) => id)) : undefined
  const messageIds = deliveryIds && deliveryIds.size > 0 ? [...deliveryIds] : undefined
  const isDead = deadIds ? `id = ANY (${deadIds}::uuid[])` : 'false'
  const isSuppressed = suppressedIds ? `id = ANY (${suppressedIds}::uuid[])` : 'false'
  const parts = [
    `fence AS (
       SELECT 1 FROM ${q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 FOR SHARE
     )`,
    `gone AS (
       DELETE FROM ${q}.intents
       WHERE destination = $1 AND lane = $2 AND seq BETWEEN ${from}::bigint AND ${to}::bigint
         AND id = ANY (${ids}::uuid[])
         AND EXISTS (SELECT 1 FROM fence)
       RETURNING seq, id, operation, ordering_key, enqueued_at, send_after, clock_timestamp() AS settled_at,
                 ${isDead} AS is_dead, ${isSuppressed} AS is_suppressed${
                   deadIds
                     ? `, format, priority, on_ambiguous, expires_at, sending_at,
                 CASE WHEN ${isDead} THEN payload END AS payload`
                     : ''
                 }
     )`,
    `kept AS (
       INSERT INTO ${q}.delivered (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at,
                                  outcome, delivery_id)
       SELECT g.id, $1, $2, g.seq, g.operation, g.ordering_key, g.enqueued_at, g.settled_at,
              ${suppressedIds ? "CASE WHEN g.is_suppressed THEN 'suppressed_by_config' ELSE 'delivered' END" : "'delivered'"},
              ${messageIds ? 'm.delivery_id' : 'NULL'}
       FROM gone g ${
         messageIds
           ? `LEFT JOIN unnest(${bind(messageIds.map(([id]) => id))}::uuid[], ${bind(messageIds.map(([, id]) => id))}::text[])
                  AS m(id, delivery_id) ON m.id = g.id`
           : ''
       }
       WHERE NOT g.is_dead
     )`,
    ...(deadIds
      ? [
          // A dead letter that was put back, perhaps twice, and left in the table: its last end is kept.
          `displaced AS (
       DELETE FROM ${q}.dead_letters WHERE id IN (SELECT id FROM gone WHERE is_dead) RETURNING id
     )`,
          `buried AS (
       INSERT INTO ${q}.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, expires_at, dead_at, reason, status, field, message, requested_at)
       SELECT DISTINCT ON (g.id) g.id, $1, g.seq, g.format, g.operation, g.payload, g.ordering_key, g.priority, g.on_ambiguous,
              g.enqueued_at, g.expires_at, g.settled_at, v.reason, v.status, v.field, v.message,
              CASE v.reason WHEN 'ambiguous' THEN g.sending_at END
       FROM gone g JOIN unnest(${deadIds}::uuid[], ${bind(dead.map(({ reason }) => reason))}::text[],
           ${bind(dead.map(({ status }) => status ?? null))}::smallint[],
           ${bind(dead.map(({ field }) => field ?? null))}::text[],
           ${bind(dead.map(({ message }) => message ?? null))}::text[])
         AS v(id, reason, status, field, message) ON v.id = g.id
       WHERE (SELECT count(*) FROM displaced) >= 0 -- first
       ORDER BY g.id, g.seq DESC
     )`,
        ]
      : []),
    `late AS (
       SELECT settled_at FROM gone
       WHERE NOT is_dead AND NOT is_suppressed
         AND enqueued_at < (SELECT clock_timestamp() - make_interval(hours => ${CAMPAIGN_WINDOW_HOURS}))
     )`,
    `counted AS (
       INSERT INTO ${q}.settled_counts AS c (minute, destination, lane, bin, count)
       SELECT ${minuteOf('settled_at')}, $1, $2, bin, count(*) FROM gone,
         LATERAL (SELECT CASE WHEN is_dead THEN -1 WHEN is_suppressed THEN -3 ELSE floor(ln(greatest(1, date_part('epoch',
           settled_at - CASE WHEN isfinite(send_after) THEN greatest(send_after, enqueued_at) ELSE enqueued_at END) * 1000))
           / ln(1.2::float8)) END::smallint AS bin) b
       GROUP BY 1, bin
       UNION ALL
       SELECT ${minuteOf('settled_at')}, $1, $2, -2, count(*) FROM late GROUP BY 1
       ON CONFLICT ON CONSTRAINT settled_counts_pkey DO UPDATE SET count = c.count + excluded.count
     )`,
  ]
  const text = `WITH ${parts.join(', ')}
     SELECT NOT EXISTS (SELECT 1 FROM fence) AS fenced, (SELECT count(*) FROM late)::int AS late,
            ${serverStart} AS server, ${durably} AS durable`
  return { text, values }
}

/** The lowest and the highest `seq`: a row at least is settled. */
function rangeOf(rows: readonly RowIdentity[]): readonly [string, string] {
  let from = rows[0]?.seq ?? '0'
  let to = from
  for (const { seq } of rows) {
    if (isLower(to, seq)) to = seq
    else if (isLower(seq, from)) from = seq
  }
  return [from, to]
}
