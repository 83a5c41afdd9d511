import { setTimeout as delay } from 'node:timers/promises'

export interface DrainOptions {
  readonly lanesLeft: () => Promise<number>
  readonly withinMs: number
  /** Aborted where the caller will not wait any longer. */
  readonly given: AbortSignal
  /** The database did not answer; it is asked again. */
  readonly onError: (error: Error) => void
}

const LOOK_MS = 100

/** Waits until no lane holds work, or for as long as is given; resolves with how many still do. */
export async function waitUntilDrained({
  lanesLeft,
  withinMs,
  given,
  onError,
}: DrainOptions): Promise<number> {
  const deadline = performance.now() + withinMs
  for (let left = Number.NaN; ; ) {
    try {
      left = await lanesLeft()
    } catch (error) {
      onError(error as Error)
    }
    if (left === 0 || given.aborted || performance.now() >= deadline) return left
    await delay(LOOK_MS, undefined, { signal: given }).catch(() => {}) // aborted: one last look
  }
}
