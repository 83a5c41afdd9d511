import type { Database } from '../connection/database.ts'

/** The destinations of workspaces that relays serve, of intents in the queue, and of breakers. Sorted. */
export async function knownDestinations(db: Database): Promise<string[]> {
  const rows = await db.query<{ destination: string }>(
    `SELECT destination FROM ${db.names.q}.known_destinations() AS k(destination)`,
  )
  return rows.map(({ destination }) => destination)
}
