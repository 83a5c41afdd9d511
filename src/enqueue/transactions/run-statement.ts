import { databaseErrorOf, saysEnded, stateOf } from './database-error.ts'
import type { Executor } from './executor.ts'
import { FAILED_TRANSACTION, NotATransactionError } from './not-a-transaction-error.ts'

/** Errors of Postgres about the state of the session's transaction. */
const NO_ACTIVE_TRANSACTION = '25P01'
const IN_FAILED_TRANSACTION = '25P02'

/**
 * True in an open transaction that has written before, or that `MARK` has marked. A session outside a transaction has no
 * transaction id when a statement begins. In a transaction that has not written yet it has none either.
 */
const IN_TRANSACTION = `(pg_current_xact_id_if_assigned() IS NOT NULL
    OR current_setting('customerio_outbox.transaction', true) = 'open')`

/** Marks the transaction until it ends. Outside a transaction, the mark is gone when the statement has ended. */
const MARK = `SELECT set_config('customerio_outbox.transaction', 'open', true)`

/**
 * Evaluates an SQL expression that stores intents, in an open transaction only. Outside a transaction, the database would
 * commit it at once.
 *
 * The statement that stores is also the proof. So COMMIT or ROLLBACK cannot come between the two, even if the app has sent it
 * without waiting for `enqueue`: no state of a library shows what is on its way. Usually the business write comes first, and
 * the proof costs no round trip. If the transaction has not written yet, it is marked, which costs two more.
 *
 * @param expression Of type text, and never NULL.
 * @returns the value of the expression.
 * @throws {NotATransactionError} if no transaction is open, or if a statement of it failed before.
 */
export async function evaluateInTransaction(
  executor: Executor,
  expression: string,
  values: readonly (string | null)[],
): Promise<string> {
  const stored = await evaluate(executor, expression, values)
  if (stored !== null) return stored
  await runStatement(executor, MARK, [])
  const second = await evaluate(executor, expression, values)
  if (second === null) throw new NotATransactionError(executor.refusal)
  return second
}

/** @returns null if no transaction is open, or if it has neither written nor been marked. */
async function evaluate(
  executor: Executor,
  expression: string,
  values: readonly (string | null)[],
): Promise<string | null> {
  const text = `SELECT CASE WHEN ${IN_TRANSACTION} THEN ${expression} END AS stored`
  const [row, ...more] = await runStatement<{ stored?: string | null }>(executor, text, values)
  if (row?.stored === undefined || more.length > 0) {
    throw new TypeError('Expected the library or adapter to return the row of the statement, got other rows')
  }
  return row.stored
}

/** Whether the executor's transaction is open. */
export async function isInTransaction(executor: Executor): Promise<boolean> {
  await runStatement(executor, MARK, [])
  const [row] = await runStatement<{ open: boolean }>(executor, `SELECT ${IN_TRANSACTION} AS open`, [])
  return row?.open === true
}

/**
 * Runs one statement. If it fails, throws the database's own error.
 *
 * @throws {NotATransactionError} if no transaction is open, or if a statement of it failed before. The driver may not have
 * noticed the failure: pg updates the state of a transaction only after it has rejected the failing statement.
 */
export async function runStatement<Row>(
  executor: Executor,
  text: string,
  values: readonly (string | null)[],
): Promise<Row[]> {
  try {
    return (await executor.execute(text, values)) as Row[]
  } catch (error) {
    throw asThrown(error, executor, text)
  }
}

/** The error that the caller gets instead of `error`, which the database or a library raised. */
export function asThrown(error: unknown, executor: Executor, text = ''): unknown {
  if (error instanceof NotATransactionError) return error
  const own = databaseErrorOf(error, text)
  const state = stateOf(own)
  if (state === NO_ACTIVE_TRANSACTION || saysEnded(own)) {
    return new NotATransactionError(executor.refusal, { cause: own })
  }
  return state === IN_FAILED_TRANSACTION ? new NotATransactionError(FAILED_TRANSACTION, { cause: own }) : own
}
