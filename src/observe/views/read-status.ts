import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'
import { type Backlog, readBacklog } from './read-backlog.ts'
import { type BreakerStatus, readBreakerState } from './read-breaker-state.ts'
import { type DeadLetterCount, readDeadLetterSummary } from './read-dead-letter-summary.ts'
import { type Health, readHealth } from './read-health.ts'
import { type OpenAction, readOpenActions } from './read-open-actions.ts'
import { type RelayStatus, readRelayFleet } from './read-relay-fleet.ts'
import { readThroughput, type ThroughputMinute } from './read-throughput.ts'

/** The rows of all views of an outbox. Ages are measured by the database's clock. */
export interface Status {
  /** Time of the read, by the database's clock. */
  readonly at: Date
  readonly health: Health
  readonly backlog: readonly Backlog[]
  readonly breakers: readonly BreakerStatus[]
  readonly relays: readonly RelayStatus[]
  readonly deadLetters: readonly DeadLetterCount[]
  readonly throughput: readonly ThroughputMinute[]
  readonly actions: readonly OpenAction[]
}

/**
 * Reads all views, one after the other and not in one snapshot: under load, values may be a few milliseconds apart. Reads at
 * most about 100,000 rows, for any backlog.
 *
 * @param db A pool, or a client.
 * @param names Names of the objects in the outbox's schema.
 * @throws {Error} of the driver if the database does not answer.
 */
export async function readStatus(db: Queryable, names: Names): Promise<Status> {
  const [clock] = await select<{ at: Date }>(db, 'SELECT clock_timestamp() AS at')
  return {
    at: clock?.at ?? new Date(),
    health: await readHealth(db, names),
    backlog: await readBacklog(db, names),
    breakers: await readBreakerState(db, names),
    relays: await readRelayFleet(db, names),
    deadLetters: await readDeadLetterSummary(db, names),
    throughput: await readThroughput(db, names),
    actions: await readOpenActions(db, names),
  }
}
