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
  const { text, values } = statementOf(db.names.q, fence, settlement)
  const [row] = await db.query<{ fenced: boolean; late: number }>(text, values)
  if (row?.fenced !== false) throw new FencedError(fence)
  return { late: row.late }
}

/**
 * The statement has only the parts that the settlement asks for. Nearly always everything was delivered: the
 * plain form takes a tenth less time than the full one. No infinite time of a row makes it fail: epochs are subtracted, and
 * not times.
 */
function statementOf(q: string, fence: Fence, { delivered, dead, suppressed = [], deliveryIds }: Settlement) {
  const values: unknown[] = [fence.destination, fence.lane, fence.epoch, fence.relayId]
  const bind = (value: unknown) => `$${values.push(value)}`
  // As text: pg would quote each of thousands by itself.
  const seqs = bind(`{${[...delivered, ...dead.map(({ seq }) => seq), ...suppressed].join(',')}}`)
  const deadSeqs = dead.length > 0 ? bind(dead.map(({ seq }) => seq)) : undefined
  const suppressedSeqs = suppressed.length > 0 ? bind(suppressed) : undefined
  const ids = deliveryIds && deliveryIds.size > 0 ? [...deliveryIds] : undefined
  const isDead = deadSeqs ? `seq = ANY (${deadSeqs}::bigint[])` : 'false'
  const isSuppressed = suppressedSeqs ? `seq = ANY (${suppressedSeqs}::bigint[])` : 'false'
  const parts = [
    `fence AS (
       SELECT 1 FROM ${q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 FOR SHARE
     )`,
    `gone AS (
       DELETE FROM ${q}.intents
       WHERE destination = $1 AND lane = $2 AND seq = ANY (${seqs}::bigint[]) AND EXISTS (SELECT 1 FROM fence)
       RETURNING seq, id, operation, ordering_key, enqueued_at, send_after, clock_timestamp() AS settled_at,
                 ${isDead} AS is_dead, ${isSuppressed} AS is_suppressed${
                   deadSeqs
                     ? `, format, priority, on_ambiguous, expires_at, sending_at,
                 CASE WHEN ${isDead} THEN payload END AS payload`
                     : ''
                 }
     )`,
    `kept AS (
       INSERT INTO ${q}.delivered (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at,
                                  outcome, delivery_id)
       SELECT g.id, $1, $2, g.seq, g.operation, g.ordering_key, g.enqueued_at, g.settled_at,
              ${suppressedSeqs ? "CASE WHEN g.is_suppressed THEN 'suppressed_by_config' ELSE 'delivered' END" : "'delivered'"},
              ${ids ? 'm.delivery_id' : 'NULL'}
       FROM gone g ${
         ids
           ? `LEFT JOIN unnest(${bind(ids.map(([seq]) => seq))}::bigint[], ${bind(ids.map(([, id]) => id))}::text[])
                  AS m(seq, delivery_id) ON m.seq = g.seq`
           : ''
       }
       WHERE NOT g.is_dead
     )`,
    ...(deadSeqs
      ? [
          `buried AS (
       INSERT INTO ${q}.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, expires_at, dead_at, reason, status, field, message, requested_at)
       SELECT g.id, $1, g.seq, g.format, g.operation, g.payload, g.ordering_key, g.priority, g.on_ambiguous,
              g.enqueued_at, g.expires_at, g.settled_at, v.reason, v.status, v.field, v.message,
              CASE v.reason WHEN 'ambiguous' THEN g.sending_at END
       FROM gone g JOIN unnest(${deadSeqs}::bigint[], ${bind(dead.map(({ reason }) => reason))}::text[],
           ${bind(dead.map(({ status }) => status ?? null))}::smallint[],
           ${bind(dead.map(({ field }) => field ?? null))}::text[],
           ${bind(dead.map(({ message }) => message ?? null))}::text[])
         AS v(seq, reason, status, field, message) ON v.seq = g.seq
     )`,
        ]
      : []),
    `late AS (
       SELECT settled_at FROM gone
       WHERE NOT is_dead AND NOT is_suppressed
         AND enqueued_at < settled_at - make_interval(hours => ${CAMPAIGN_WINDOW_HOURS})
     )`,
    `counted AS (
       INSERT INTO ${q}.settled_counts AS c (minute, destination, lane, bin, count)
       SELECT date_trunc('minute', settled_at), $1, $2, bin, count(*) FROM gone,
         LATERAL (SELECT CASE WHEN is_dead THEN -1 WHEN is_suppressed THEN -3 ELSE floor(ln(greatest(1, least(1e15,
           (date_part('epoch', settled_at) - date_part('epoch', greatest(send_after, enqueued_at))) * 1000)))
           / ln(1.2::float8)) END::smallint AS bin) b
       GROUP BY 1, bin
       UNION ALL
       SELECT date_trunc('minute', settled_at), $1, $2, -2, count(*) FROM late GROUP BY 1
       ON CONFLICT ON CONSTRAINT settled_counts_pkey DO UPDATE SET count = c.count + excluded.count
     )`,
  ]
  const text = `WITH ${parts.join(', ')}
     SELECT NOT EXISTS (SELECT 1 FROM fence) AS fenced, (SELECT count(*) FROM late)::int AS late`
  return { text, values }
}
