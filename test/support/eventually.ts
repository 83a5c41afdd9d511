import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until `probe` gives something other than undefined or false, and returns it. For what happens in another
 * process, or in a server, where no signal of ours can be had.
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
