import type pg from 'pg'
import type { PgClientLike } from '../../src/index.ts'

/** A real client that also records its statements. */
export interface RecordingClient extends PgClientLike {
  readonly statements: string[]
}

export function recording(client: pg.PoolClient): RecordingClient {
  const statements: string[] = []
  return {
    statements,
    query(text, values) {
      statements.push(text)
      return client.query(text, values)
    },
    getTransactionStatus: () => client.getTransactionStatus(),
  }
}
