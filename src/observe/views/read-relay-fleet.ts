import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** A relay that has sent a heartbeat: a row of the view `relay_fleet`. */
export interface RelayStatus {
  readonly relayId: string
  readonly host: string
  readonly version: string
  readonly startedAt: Date
  readonly lastSeenAt: Date
  readonly lanesHeld: number
  /** The highest schema version that the relay knows. */
  readonly schemaVersion: number | null
  /** Seconds since `startedAt`, by the database's clock. */
  readonly upSeconds: number
  /** Seconds since `lastSeenAt`, by the database's clock. */
  readonly silentSeconds: number
  /** Whether the last heartbeat is at most 30 s old. The view `health` uses the same limit. */
  readonly alive: boolean
}

/** Reads all running relays, and those that died within the last hour. A relay that stops is not in the view. */
export function readRelayFleet(db: Queryable, names: Names): Promise<RelayStatus[]> {
  return select<RelayStatus>(
    db,
    `SELECT relay_id AS "relayId", host, version, started_at AS "startedAt", last_seen_at AS "lastSeenAt",
            lanes_held AS "lanesHeld", schema_version AS "schemaVersion",
            extract(epoch FROM clock_timestamp() - started_at)::float8 AS "upSeconds",
            greatest(0, extract(epoch FROM clock_timestamp() - last_seen_at))::float8 AS "silentSeconds",
            last_seen_at > clock_timestamp() - interval '30 seconds' AND last_seen_at <= clock_timestamp() AS alive
     FROM ${names.q}.relay_fleet ORDER BY started_at, relay_id`,
  )
}
