import { setTimeout as delay } from 'node:timers/promises'

export interface DrainOptions {
  /** Counts the lanes that hold intents. */
  readonly countLanes: () => Promise<number>
  readonly withinMs: number
  /** Aborted if the caller stops waiting. */
  readonly abort: AbortSignal
  /** Called if a count failed. The next count is 100 ms later. */
  readonly onError: (error: Error) => void
}

const COUNT_EVERY_MS = 100

/**
 * Waits until no lane holds an intent, or until the time is over.
 *
 * @returns the number of lanes that still hold intents, by the last count that succeeded; NaN if none did.
 */
export async function waitUntilDrained({
  countLanes,
  withinMs,
  abort,
  onError,
}: DrainOptions): Promise<number> {
  const deadline = performance.now() + withinMs
  for (let left = Number.NaN; ; ) {
    try {
      left = await countLanes()
    } catch (error) {
      onError(error as Error)
    }
    if (left === 0 || abort.aborted || performance.now() >= deadline) return left
    await delay(COUNT_EVERY_MS, undefined, { signal: abort }).catch(() => {}) // aborted: count once more
  }
}
