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
