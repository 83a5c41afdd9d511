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
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${withinMs} ms`)
    await delay(10)
  }
}
