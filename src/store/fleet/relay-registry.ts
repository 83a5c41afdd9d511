import type { Database } from '../connection/database.ts'
import { notifyOfBreaker } from './notify.ts'

export interface RelayIdentity {
  readonly relayId: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** The highest row format that the relay knows. */
  readonly format: number
  /** The ids of its encryption keys. Null: it may have any. */
  readonly encryptionKeys: readonly string[] | null
  /** The highest schema version that the relay knows. */
  readonly schemaVersion: number
}

/** Every poll of a relay fails. */
export interface PollFailure {
  readonly forMs: number
  readonly message: string
}

/** Records in `outbox.relays` that the relay is alive, and whether it can poll. */
export async function reportRelay(
  db: Database,
  relay: RelayIdentity,
  failure: PollFailure | undefined,
): Promise<void> {
  await db.query(
    `INSERT INTO ${db.names.q}.relays AS r (relay_id, host, pid, version, format, schema_version, started_at, last_seen_at,
                                            polls_failing_since, poll_error, encryption_keys)
     VALUES ($1, $2, $3, $4, $5, $6, now(), now(), now() - make_interval(secs => $7::float8 / 1000), $8, $9::text[])
     ON CONFLICT (relay_id) DO UPDATE SET last_seen_at = now(), poll_error = excluded.poll_error,
       polls_failing_since = CASE WHEN excluded.polls_failing_since IS NOT NULL
                                  THEN coalesce(r.polls_failing_since, excluded.polls_failing_since) END`,
    [
      ...[relay.relayId, relay.host, relay.pid, relay.version, relay.format, relay.schemaVersion],
      ...[failure?.forMs ?? null, failure?.message ?? null, relay.encryptionKeys],
    ],
  )
}

/**
 * Removes the relay from the fleet, and releases its lanes and probes. Without the release, no other relay could probe a
 * half-open destination before the lease ends.
 */
export async function removeRelay(db: Pick<Database, 'names' | 'query'>, relayId: string): Promise<void> {
  const q = db.names.q
  const rows = await db.query(
    `WITH lanes AS (
       UPDATE ${q}.lanes SET relay_id = NULL, taken_at = NULL WHERE relay_id = $1
     ), relay AS (
       DELETE FROM ${q}.relays WHERE relay_id = $1
     ), probe AS (
       UPDATE ${q}.breakers SET probe_until = clock_timestamp() WHERE probe_relay = $1 RETURNING 1
     )
     SELECT FROM probe`,
    [relayId],
  )
  if (rows.length > 0) await notifyOfBreaker(db)
}
