import type { Database } from './database.ts'

export interface RelayIdentity {
  readonly relayId: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** The highest row format that it knows. */
  readonly format: number
}

/** Makes the relay visible in `relay_fleet`, and says that it lives. */
export async function reportRelay(db: Database, relay: RelayIdentity): Promise<void> {
  await db.query(
    `INSERT INTO ${db.names.q}.relays AS r (relay_id, host, pid, version, format, started_at, last_seen_at)
     VALUES ($1, $2, $3, $4, $5, now(), now())
     ON CONFLICT (relay_id) DO UPDATE SET last_seen_at = now()`,
    [relay.relayId, relay.host, relay.pid, relay.version, relay.format],
  )
}

/** Takes the relay out of the fleet and gives back whatever it still held. */
export async function removeRelay(db: Database, relayId: string): Promise<void> {
  await db.query(
    `WITH lanes AS (
       UPDATE ${db.names.q}.lanes SET relay_id = NULL, taken_at = NULL WHERE relay_id = $1
     )
     DELETE FROM ${db.names.q}.relays WHERE relay_id = $1`,
    [relayId],
  )
}
