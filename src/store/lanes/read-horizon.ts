import type { Database } from '../connection/database.ts'
import { durably, serverStart } from './lane.ts'

/** An open transaction that has written to the queue, or is about to. */
export interface Writer {
  /** Its virtual transaction: unique among those that are open. */
  readonly id: string
  /** Its xid8; undefined as long as it has written nothing. */
  readonly xid?: string
}

/** How far numbers were drawn, and by which server. */
export interface SequenceReading {
  /** The server that answered (`serverStart`): its numbers say nothing of another server's. */
  readonly server: string
  /** The highest `seq` that was drawn. */
  readonly lastSeq: bigint
}

export interface HorizonReading extends SequenceReading {
  /** They may commit rows below `lastSeq`; no other transaction may. */
  readonly writers: readonly Writer[]
}

/**
 * Reads how far numbers were drawn, and makes that durable: the message is written to the log after the number was
 * read, and its commit is on disk when the promise resolves. After a crash a server draws those numbers again that were
 * not on disk. An intent with such a number would be below a bound that was taken from it.
 */
export async function readHorizon(db: Database): Promise<HorizonReading> {
  const [row] = await db.query<{ server: string; last_seq: string; holders: string[] }>(
    `SELECT ${serverStart} AS server, last_seq, holders, ${durably} AS durable,
            pg_logical_emit_message(true, 'customerio-outbox', '') IS NOT NULL AS written
     FROM ${db.names.q}.write_horizon()`,
  )
  const writers = (row?.holders ?? []).map((holder) => {
    const [id = '', xid] = holder.split('@')
    return xid ? { id, xid } : { id }
  })
  if (!row) throw new Error('write_horizon returned no row')
  return { server: row.server, lastSeq: BigInt(row.last_seq), writers }
}
