import type { Database } from './database.ts'

/** An open transaction that has written to the queue, or is about to. */
export interface Writer {
  /** Its virtual transaction: unique among those that are open. */
  readonly id: string
  /** Its xid8; undefined as long as it has written nothing. */
  readonly xid?: string
}

export interface WriteHorizon {
  /** The highest `seq` that was drawn. */
  readonly lastSeq: bigint
  /** They may commit rows below `lastSeq`; no other transaction may. */
  readonly writers: readonly Writer[]
}

/**
 * Reads how far numbers were drawn, and makes it durable: the message is written to the log after the number was
 * read, and committed with it. A server that crashed hands out again what it had not yet written down, and what is
 * committed under such a number would be below a bound that was taken from it.
 */
export async function readHorizon(db: Database): Promise<WriteHorizon> {
  const [row] = await db.query<{ last_seq: string; holders: string[] }>(
    `SELECT last_seq, holders, pg_logical_emit_message(true, 'customerio-outbox', '') IS NOT NULL AS durable
     FROM ${db.names.q}.write_horizon()`,
  )
  const writers = (row?.holders ?? []).map((holder) => {
    const [id = '', xid] = holder.split('@')
    return xid ? { id, xid } : { id }
  })
  return { lastSeq: BigInt(row?.last_seq ?? 0), writers }
}
