import type { Database } from './database.ts'
import type { Fence } from './lane.ts'

export type DeadLetterReason = 'rejected' | 'too_large' | 'expired' | 'invalid' | 'ambiguous' | 'exhausted'

export interface DeadLetter {
  readonly seq: string
  readonly reason: DeadLetterReason
  readonly status?: number | undefined
  readonly field?: string | undefined
  readonly message?: string | undefined
}

export interface Settlement {
  /** `seq` of what Customer.io has taken. */
  readonly delivered: readonly string[]
  readonly dead: readonly DeadLetter[]
  /** `seq` of what the workspace's `allowRecipients` kept from being sent. */
  readonly suppressed?: readonly string[]
  /** By `seq`, Customer.io's own id of a transactional message. */
  readonly deliveryIds?: ReadonlyMap<string, string>
}

/** An event that arrives later than this triggers no campaign (Customer.io's Track API). */
export const CAMPAIGN_WINDOW_HOURS = 72

/** The lane was taken by another relay: nothing was settled, and nothing more may be sent from it. */
export class FencedError extends Error {
  override readonly name = 'FencedError'

  constructor(fence: Fence) {
    super(`lane ${fence.lane} of ${fence.destination} was taken by another relay after epoch ${fence.epoch}`)
  }
}

/**
 * Moves intents out of the queue in one statement: to `delivered`, or to `dead_letters`. The fence is checked,
 * and held until the commit, by the statement itself.
 *
 * @returns how many were delivered later than an event triggers a campaign.
 * @throws {FencedError} where the lane has a newer epoch.
 */
export async function settle(db: Database, fence: Fence, settlement: Settlement): Promise<{ late: number }> {
  const q = db.names.q
  const dead = settlement.dead
  const [row] = await db.query<{ fenced: boolean; late: number }>(
    `WITH fence AS (
       SELECT 1 FROM ${q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 FOR SHARE
     ), verdict AS (
       SELECT * FROM unnest($6::bigint[], $7::text[], $8::smallint[], $9::text[], $10::text[])
         AS d(seq, reason, status, field, message)
     ), message_id AS (
       SELECT * FROM unnest($11::bigint[], $12::text[]) AS m(seq, delivery_id)
     ), gone AS (
       DELETE FROM ${q}.intents i
       WHERE i.destination = $1 AND i.lane = $2 AND i.seq = ANY ($5::bigint[] || $6::bigint[] || $13::bigint[])
         AND EXISTS (SELECT 1 FROM fence)
       RETURNING i.seq, i.id, i.format, i.operation, i.ordering_key, i.priority, i.on_ambiguous,
                 i.enqueued_at, i.send_after, i.expires_at, i.sending_at, clock_timestamp() AS settled_at,
                 i.seq = ANY ($6::bigint[]) AS is_dead, i.seq = ANY ($13::bigint[]) AS is_suppressed,
                 CASE WHEN i.seq = ANY ($6::bigint[]) THEN i.payload END AS payload
     ), kept AS (
       INSERT INTO ${q}.delivered (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at,
                                  outcome, delivery_id)
       SELECT g.id, $1, $2, g.seq, g.operation, g.ordering_key, g.enqueued_at, g.settled_at,
              CASE WHEN g.is_suppressed THEN 'suppressed_by_config' ELSE 'delivered' END, m.delivery_id
       FROM gone g LEFT JOIN message_id m ON m.seq = g.seq WHERE NOT g.is_dead
     ), buried AS (
       INSERT INTO ${q}.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, expires_at, dead_at, reason, status, field, message, requested_at)
       SELECT g.id, $1, g.seq, g.format, g.operation, g.payload, g.ordering_key, g.priority, g.on_ambiguous,
              g.enqueued_at, g.expires_at, g.settled_at, v.reason, v.status, v.field, v.message,
              CASE v.reason WHEN 'ambiguous' THEN g.sending_at END
       FROM gone g JOIN verdict v ON v.seq = g.seq
     ), late AS (
       SELECT settled_at FROM gone
       WHERE NOT is_dead AND NOT is_suppressed
         AND settled_at - enqueued_at > make_interval(hours => ${CAMPAIGN_WINDOW_HOURS})
     ), counted AS (
       INSERT INTO ${q}.settled_counts AS c (minute, destination, lane, bin, count)
       SELECT date_trunc('minute', settled_at), $1, $2, bin, count(*) FROM gone,
         LATERAL (SELECT CASE WHEN is_dead THEN -1 WHEN is_suppressed THEN -3 ELSE floor(ln(greatest(1, date_part('epoch',
           settled_at - greatest(send_after, enqueued_at)) * 1000)) / ln(1.2::float8)) END::smallint AS bin) b
       GROUP BY 1, bin
       UNION ALL
       SELECT date_trunc('minute', settled_at), $1, $2, -2, count(*) FROM late GROUP BY 1
       ON CONFLICT ON CONSTRAINT settled_counts_pkey DO UPDATE SET count = c.count + excluded.count
     )
     SELECT NOT EXISTS (SELECT 1 FROM fence) AS fenced, (SELECT count(*) FROM late)::int AS late`,
    [
      fence.destination,
      fence.lane,
      fence.epoch,
      fence.relayId,
      settlement.delivered,
      dead.map((d) => d.seq),
      dead.map((d) => d.reason),
      dead.map((d) => d.status ?? null),
      dead.map((d) => d.field ?? null),
      dead.map((d) => d.message ?? null),
      [...(settlement.deliveryIds?.keys() ?? [])],
      [...(settlement.deliveryIds?.values() ?? [])],
      settlement.suppressed ?? [],
    ],
  )
  if (row?.fenced !== false) throw new FencedError(fence)
  return { late: row.late }
}
