import type { Database } from '../connection/database.ts'
import { durably, serverStart } from '../connection/server-sql.ts'

/** An open transaction that has written to the queue, or is about to. */
export interface Writer {
  /** Its virtual transaction: unique among open transactions. */
  readonly id: string
  /** Its xid8 as text. Undefined until it writes. */
  readonly xid?: string
}

/** The highest `seq` that was drawn, and the server that drew it. */
export interface SequenceReading {
  /** The server that answered (`serverStart`). Its numbers say nothing about another server. */
  readonly server: string
  /** The highest `seq` that was drawn. */
  readonly lastSeq: bigint
}

export interface HorizonReading extends SequenceReading {
  /** These transactions may still commit rows up to `lastSeq`. No other transaction can. */
  readonly writers: readonly Writer[]
}

/**
 * Reads the highest `seq` that was drawn, and makes it durable: the statement writes a message to the write-ahead log after
 * it read the number, and its commit is on disk when the promise resolves. Otherwise a server that crashed would draw the
 * same numbers again, and an intent with such a number would be below the watermark.
 */
export async function readHorizon(db: Database): Promise<HorizonReading> {
  const [row] = await db.query<{ server: string; last_seq: string; writers: string[] }>(
    `SELECT ${serverStart} AS server, last_seq, writers, ${durably} AS durable,
            pg_logical_emit_message(true, 'customerio-outbox', '') IS NOT NULL AS written
     FROM ${db.names.q}.write_horizon()`,
  )
  if (!row) throw new Error('write_horizon returned no row')
  const writers = row.writers.map((writer) => {
    const [id = '', xid] = writer.split('@')
    return xid ? { id, xid } : { id }
  })
  return { server: row.server, lastSeq: BigInt(row.last_seq), writers }
}
