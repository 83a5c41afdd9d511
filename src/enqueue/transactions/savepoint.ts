import type { Executor } from './executor.ts'
import { NotATransactionError } from './not-a-transaction-error.ts'
import { runStatement } from './run-statement.ts'

const UNKNOWN_STATE = 'got one whose savepoint could not be released, run ROLLBACK and begin again'

/**
 * Runs `work` under a savepoint of the caller's transaction. If `work` fails, the transaction is rolled back to the
 * savepoint and can go on. Costs two more round trips.
 *
 * @throws {NotATransactionError} if no transaction is open, or if the savepoint of a successful `work` cannot be released.
 */
export async function underSavepoint<T>(
  executor: Executor,
  work: (executor: Executor) => Promise<T>,
): Promise<T> {
  if (executor.nested) return executor.nested(work)
  await runStatement(executor, 'SAVEPOINT customerio_outbox', [])
  let result: T
  try {
    result = await work(executor)
  } catch (error) {
    if (error instanceof NotATransactionError) throw error // there is nothing to roll back to
    await runStatement(executor, 'ROLLBACK TO SAVEPOINT customerio_outbox', [])
    await runStatement(executor, 'RELEASE SAVEPOINT customerio_outbox', [])
    throw error
  }
  try {
    await runStatement(executor, 'RELEASE SAVEPOINT customerio_outbox', [])
  } catch (error) {
    throw error instanceof NotATransactionError
      ? error
      : new NotATransactionError(UNKNOWN_STATE, { cause: error })
  }
  return result
}
