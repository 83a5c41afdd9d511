import { setTimeout as delay } from 'node:timers/promises'

/** The longest wait, in milliseconds, that a turn sleeps through. For a longer one it hands the lane back. */
export const MAX_SLEEP_MS = 250

/**
 * Acquires a token of a rate limit, and sleeps through short waits.
 *
 * @param acquire Acquires a token. Resolves with 0, or with the milliseconds to wait.
 * @param stopping Once it is aborted, no wait begins.
 * @returns 0 if the token was acquired, else the milliseconds to wait before asking again.
 */
export async function waitForToken(acquire: () => Promise<number>, stopping: AbortSignal): Promise<number> {
  for (;;) {
    const waitMs = await acquire()
    if (waitMs === 0 || waitMs > MAX_SLEEP_MS || stopping.aborted) return waitMs
    await delay(waitMs)
  }
}
