import { type BreakerStatus, readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { type Database, openDatabase } from '../../store/connection/database.ts'

/** The database and schema that a command works on. */
export interface Target {
  readonly databaseUrl: string
  readonly schema?: string | undefined
}

/** Runs `work` on one connection, and closes it. */
export async function withDatabase(
  target: Target,
  command: string,
  work: (db: Database) => Promise<void>,
): Promise<void> {
  const db = openDatabase({
    connectionString: target.databaseUrl,
    schema: target.schema,
    max: 1,
    applicationName: `customerio-outbox ${command}`,
  })
  try {
    await work(db)
  } finally {
    await db.close()
  }
}

/** The destination's breaker; undefined if it has never had one. */
export async function readBreaker(db: Database, destination: string): Promise<BreakerStatus | undefined> {
  const rows = await readBreakerState({ query: async (text) => ({ rows: await db.query(text) }) }, db.names)
  return rows.find((row) => row.destination === destination)
}
