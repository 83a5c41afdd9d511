import { setTimeout as delay } from 'node:timers/promises'
import { query, type Environment } from './environment.ts'

const EVERY_MS = 2_000

/**
 * Watches for destinations that stopped until an operator resumes them. No incident of the soak justifies such a stop.
 * Reports each one as a problem and resumes it, so that the soak continues.
 */
export function watchForStop(
  environment: Pick<Environment, 'databaseUrl'>,
  onProblem: (problem: string) => void,
): AsyncDisposable {
  const over = new AbortController()
  const watch = async () => {
    while (!over.signal.aborted) {
      const stopped = await query<{ destination: string; state: string; error: string }>(
        environment,
        `SELECT destination, state, last_error AS error FROM outbox.breakers
         WHERE state NOT IN ('closed', 'open', 'half_open') AND retry_at IS NULL`,
      ).catch(() => undefined) // the server is restarting; the next poll sees the stop
      for (const { destination, state, error } of stopped ?? []) {
        onProblem(`${destination} was ${state} until resumed: ${error}`)
        await query(environment, `SELECT outbox.resume('${destination}')`).catch(() => {})
      }
      await delay(EVERY_MS, undefined, { signal: over.signal }).catch(() => {})
    }
  }
  const watching = watch()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await watching
    },
  }
}
