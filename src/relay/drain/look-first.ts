import { findOpenActions } from '../../store/actions/find-open-actions.ts'
import type { Database } from '../../store/connection/database.ts'
import { findUnserved } from '../../store/fleet/find-unserved.ts'
import { findReadyLanes } from '../../store/lanes/find-ready-lanes.ts'
import { requireSchemaVersion } from '../../store/migrate/schema-version.ts'
import { judgeQueue, type QueueVerdict } from '../dispatch/judge-queue.ts'

export interface FirstLook {
  readonly verdict: QueueVerdict
  /** Destinations that have intents, and for which there are no credentials. */
  readonly unserved: readonly string[]
}

/**
 * Reads the queue before a relay starts. Most calls of a drain find an empty queue or an open breaker. Then nothing is
 * started: no lane jobs, no maintenance, no question about regions.
 *
 * @param served The destinations that the drain has credentials for.
 * @param leftMs The time that the drain has.
 * @throws SchemaVersionError if the schema is missing, too old or too new.
 */
export async function lookFirst(db: Database, served: readonly string[], leftMs: number): Promise<FirstLook> {
  await requireSchemaVersion(db)
  const found = await findReadyLanes(db, { served, except: [], breakersOf: served })
  const { length: openActions } = await findOpenActions(db)
  // The start of a relay refuses a copy of the database, or accepts it.
  const verdict = found.isCopy
    ? 'has_work'
    : judgeQueue({ ...found, openActions }, { rateLimitMs: leftMs, probeMs: 0 })
  return { verdict, unserved: await findUnserved(db, served) }
}
