import type { Executor } from './executor.ts'
import { runStatement } from './run-statement.ts'

/**
 * Runs `work` under a savepoint of the caller's transaction. If `work` fails, the transaction is rolled back to the
 * savepoint and can go on. Costs two more round trips. The savepoint also proves that a transaction is open.
 *
 * @throws {NotATransactionError} if no transaction is open.
 */
export async function underSavepoint<T>(
  executor: Executor,
  work: (executor: Executor) => Promise<T>,
): Promise<T> {
  if (executor.nested) return executor.nested((inner) => work({ ...inner, proved: true }))
  await runStatement(executor, 'SAVEPOINT customerio_outbox', [])
  try {
    const result = await work({ ...executor, proved: true })
    await runStatement(executor, 'RELEASE SAVEPOINT customerio_outbox', [])
    return result
  } catch (error) {
    await runStatement(executor, 'ROLLBACK TO SAVEPOINT customerio_outbox', [])
    await runStatement(executor, 'RELEASE SAVEPOINT customerio_outbox', [])
    throw error
  }
}
