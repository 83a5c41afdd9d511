import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until `probe` returns a value other than undefined or false, and returns that value. For conditions in another
 * process or server, which cannot signal the test.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  const began = performance.now()
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== false) return found
    const elapsedMs = performance.now() - began
    if (elapsedMs > withinMs) throw new Error(`${what} did not happen within ${withinMs} ms`)
    // `probe` is often a query, so a long wait calls it every 50 ms instead of every 10.
    await delay(Math.min(Math.max(10, elapsedMs / 10), 50))
  }
}
