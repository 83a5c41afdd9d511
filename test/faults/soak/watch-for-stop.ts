import { setTimeout as delay } from 'node:timers/promises'
import { ask, type World } from './world.ts'

const EVERY_MS = 2_000

/**
 * A destination that waits for a person has stopped for good, and no incident of the soak is a reason for that. Notes
 * each, and resumes it: the rest of the soak is to go on.
 */
export function watchForStop(
  world: Pick<World, 'databaseUrl'>,
  note: (what: string) => void,
): AsyncDisposable {
  const over = new AbortController()
  const watch = async () => {
    while (!over.signal.aborted) {
      const stopped = await ask<{ destination: string; state: string; error: string }>(
        world,
        `SELECT destination, state, last_error AS error FROM outbox.breakers
         WHERE state NOT IN ('closed', 'open', 'half_open') AND retry_at IS NULL`,
      ).catch(() => undefined) // a server that restarts says nothing; the next look does
      for (const { destination, state, error } of stopped ?? []) {
        note(`${destination} was ${state} until resumed: ${error}`)
        await ask(world, `SELECT outbox.resume('${destination}')`).catch(() => {})
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
