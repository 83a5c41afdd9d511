import { namesOf } from '../../store/names.ts'
import { openReader } from '../reader.ts'
import { ANSWER_MS, type Check, type Installation, LIMITS } from './check.ts'
import { deadLetters } from './checks/delivery/dead-letters.ts'
import { health } from './checks/delivery/health.ts'
import { lag } from './checks/delivery/lag.ts'
import { relays } from './checks/delivery/relays.ts'
import { workspaces } from './checks/delivery/workspaces.ts'
import { drift } from './checks/schema/drift.ts'
import { partitions } from './checks/schema/partitions.ts'
import { privileges } from './checks/schema/privileges.ts'
import { roles } from './checks/schema/roles.ts'
import { schema } from './checks/schema/version.ts'
import { autovacuum } from './checks/server/autovacuum.ts'
import { clock } from './checks/server/clock.ts'
import { connect } from './checks/server/connection.ts'
import { deadRows } from './checks/server/dead-rows.ts'
import { notifications } from './checks/server/notifications.ts'
import { pooler } from './checks/server/pooler.ts'
import { synchronousCommit } from './checks/server/synchronous-commit.ts'
import { transactions } from './checks/server/transactions.ts'
import { wakeUp } from './checks/server/wake-up.ts'
import { type NamedFinding, warning } from './finding.ts'
import { runCheck } from './run-check.ts'

/** Checks that open connections of their own, and may wait for long. They run beside the others. */
const BESIDE: readonly Check[] = [pooler, wakeUp, workspaces]
/** Checks that run one after the other on one connection, in this order. */
const IN_TURN: readonly Check[] = [clock, synchronousCommit, transactions, schema]
/** Checks that follow if the schema exists. */
const OF_SCHEMA: readonly Check[] = [
  ...[drift, partitions, privileges, roles, autovacuum, deadRows],
  ...[notifications, relays, lag, deadLetters, health],
]

/** What to examine. */
export type Target = Pick<Installation, 'connectionString' | 'listenConnectionString' | 'workspaces'> & {
  readonly schema: string | undefined
  readonly limits?: Partial<Installation['limits']>
  /** Milliseconds for all checks. The checks that have not ended by then are named in a warning. Default: 8,000. */
  readonly budgetMs?: number
}

/**
 * Runs every check. Never rejects: what goes wrong is a finding.
 *
 * @param onFinding Called with each finding as soon as its check ends.
 * @returns all findings, in the order in which the checks ended.
 */
export async function examine(
  { schema, limits, budgetMs = 8_000, ...target }: Target,
  onFinding: (finding: NamedFinding) => void = () => {},
): Promise<NamedFinding[]> {
  const names = namesOf(schema)
  const budget = AbortSignal.timeout(Math.round(budgetMs))
  const timeIsOver = new Promise<void>((resolve) => budget.addEventListener('abort', () => resolve()))
  const db = openReader({
    connectionString: target.connectionString,
    applicationName: 'customerio-outbox doctor',
    max: 1,
    timeoutMs: ANSWER_MS,
  })
  const found: NamedFinding[] = []
  const report = (finding: NamedFinding) => {
    found.push(finding)
    onFinding(finding)
  }
  try {
    const connected = await connect(db, names)
    report({ name: 'connection', ...connected.finding })
    if (connected.state === 'unreachable') return found
    const installation = { ...target, db, names, user: connected.user, limits: { ...LIMITS, ...limits } }
    const unchecked: string[] = []
    const run = async (check: Check) => {
      const findings = await runCheck(check, installation, budget, timeIsOver)
      if (findings === 'no time left') unchecked.push(check.name)
      else for (const finding of findings) report({ name: check.name, ...finding })
    }
    const beside = BESIDE.map(run)
    for (const check of [...IN_TURN, ...(connected.isMigrated ? OF_SCHEMA : [])]) await run(check)
    await Promise.all(beside)
    if (unchecked.length > 0) report({ name: 'time', ...outOfTime(unchecked) })
    return found
  } finally {
    await db.close(budget.aborted ? 0 : undefined)
  }
}

function outOfTime(unchecked: readonly string[]) {
  return warning(
    `not checked, because the answers to other checks came late: ${unchecked.join(', ')}`,
    'run customerio-outbox doctor again; if it stays, see docs/operations.md#connections',
  )
}
