import type { Executor } from './executor.ts'

/**
 * Runs `work` under a savepoint of the caller's transaction. If `work` fails, the transaction is rolled back to the
 * savepoint and can go on. Costs two more round trips.
 */
export async function underSavepoint<T>(
  executor: Executor,
  work: (executor: Executor) => Promise<T>,
): Promise<T> {
  if (executor.nested) return executor.nested(work)
  await executor.execute('SAVEPOINT customerio_outbox', [])
  try {
    const result = await work(executor)
    await executor.execute('RELEASE SAVEPOINT customerio_outbox', [])
    return result
  } catch (error) {
    await executor.execute('ROLLBACK TO SAVEPOINT customerio_outbox', [])
    await executor.execute('RELEASE SAVEPOINT customerio_outbox', [])
    throw error
  }
}
