import type { Database } from './database.ts'

export interface WriteHorizon {
  /** The highest `seq` that was drawn. */
  readonly lastSeq: bigint
  /** Transactions that have written to the queue and are still open: they may commit rows below `lastSeq`. */
  readonly holders: readonly string[]
}

export async function readHorizon(db: Database): Promise<WriteHorizon> {
  const [row] = await db.query<{ last_seq: string; holders: string[] }>(
    `SELECT last_seq, holders FROM ${db.names.q}.write_horizon()`,
  )
  return { lastSeq: BigInt(row?.last_seq ?? 0), holders: row?.holders ?? [] }
}
