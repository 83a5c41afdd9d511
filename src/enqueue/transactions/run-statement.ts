import { databaseErrorOf, saysEnded, stateOf } from './database-error.ts'
import type { Executor } from './executor.ts'
import { FAILED_TRANSACTION, NotATransactionError } from './not-a-transaction-error.ts'

/** Errors of Postgres about the state of the session's transaction. */
const NO_ACTIVE_TRANSACTION = '25P01'
const IN_FAILED_TRANSACTION = '25P02'

/**
 * True if a statement of an open transaction has written before. A session outside a transaction has no transaction id when
 * a statement begins. In a transaction that has not written yet it has none either.
 */
const HAS_WRITTEN = 'pg_current_xact_id_if_assigned() IS NOT NULL'

/**
 * Runs one statement that stores intents, after the proof that a transaction is open. Outside a transaction, the database
 * would commit the statement at once.
 *
 * The statement itself carries the proof: it does nothing unless the transaction has written before. Usually the business
 * write comes first, so the proof costs no round trip. If the transaction has not written yet, SAVEPOINT is the proof: it
 * fails outside a transaction.
 *
 * @param statement Returns the statement. If a condition is given, the statement does nothing and returns no row unless the
 * condition holds. Without one, it returns at least one row.
 * @throws {NotATransactionError} if no transaction is open, or if a statement of it failed before.
 */
export async function runInTransaction<Row>(
  executor: Executor,
  statement: (condition?: string) => string,
  values: readonly (string | null)[],
): Promise<Row[]> {
  if (!executor.proved) {
    const rows = await runStatement<Row>(executor, statement(HAS_WRITTEN), values)
    if (rows.length > 0) return rows
    await runStatement(executor, 'SAVEPOINT customerio_outbox', [])
    await runStatement(executor, 'RELEASE SAVEPOINT customerio_outbox', [])
  }
  return runStatement<Row>(executor, statement(), values)
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
