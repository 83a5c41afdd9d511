import { databaseProblemOf, innermostError, oneLine } from '../../store/connection/describe-error.ts'
import { ANSWER_MS, type Check, type Installation } from './check.ts'
import { failure, type Finding, warning } from './finding.ts'

/** The SQLSTATE of a statement that its timeout ended. */
const CANCELLED = '57014'

/**
 * Runs one check. Never rejects.
 *
 * @param budget Aborted when no time is left.
 * @param timeIsOver Resolves when `budget` is aborted. One promise for all checks, so that the signal gets one listener.
 */
export async function runCheck(
  { run }: Check,
  installation: Installation,
  budget: AbortSignal,
  timeIsOver: Promise<void>,
): Promise<readonly Finding[] | 'no time left'> {
  if (budget.aborted) return 'no time left'
  try {
    const running = run(installation)
    running.catch(() => {}) // it may fail after the time is over
    return (await Promise.race([running, timeIsOver])) ?? 'no time left'
  } catch (error) {
    return [describe(error, installation)]
  }
}

function describe(error: unknown, { names, user }: Installation): Finding {
  const problem = databaseProblemOf(error)
  if (problem?.kind === 'no right') {
    return warning(`not checked: ${problem.what}`, `GRANT ${names.schema}_viewer TO ${user}`)
  }
  if (problem) return failure(problem.what, problem.next)
  const cause = innermostError(error)
  if (cause.code === CANCELLED) {
    return warning(
      `not checked: a statement took over ${ANSWER_MS / 1_000} s`,
      "SELECT pid, pg_blocking_pids(pid), state, query FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    )
  }
  return failure(
    oneLine(cause.message || cause.code || 'unknown error'),
    'correct this, then run customerio-outbox doctor again',
  )
}
