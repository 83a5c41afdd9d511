import { setTimeout as delay } from 'node:timers/promises'
import { judgeQueue, type QueueReading, type QueueVerdict } from './judge-queue.ts'

/** How a drain ended: by a verdict on the queue, by its time, or by its caller. */
export type DrainEnd = Exclude<QueueVerdict, 'has_work'> | 'time_is_up' | 'aborted'

export interface WaitUntilDrainedOptions {
  /** Reads the lanes that hold intents, and the breakers of their destinations. */
  readonly read: () => Promise<QueueReading>
  readonly withinMs: number
  /**
   * Whether the drain waits for the probe of an open breaker, if it is due within the time. If not, an open breaker ends the
   * drain unless its probe is due now.
   */
  readonly waitsForProbes: boolean
  /** Aborted if the caller stops waiting. */
  readonly abort: AbortSignal
  /** Called if a reading failed. The next one is 100 ms later. */
  readonly onError: (error: Error) => void
}

export interface Drained {
  readonly end: DrainEnd
  /** The number of lanes that still hold intents, by the last reading that succeeded; NaN if none did. */
  readonly lanesLeft: number
}

const READ_EVERY_MS = 100

/** Waits until no lane holds an intent, no destination that has intents can be delivered to, or the time is over. */
export async function waitUntilDrained(options: WaitUntilDrainedOptions): Promise<Drained> {
  const { read, withinMs, waitsForProbes, abort, onError } = options
  const deadline = performance.now() + withinMs
  for (let lanesLeft = Number.NaN; ; ) {
    const leftMs = Math.max(0, deadline - performance.now())
    let verdict: QueueVerdict = 'has_work'
    try {
      const found = await read()
      lanesLeft = found.lanes.length
      verdict = judgeQueue(found, { rateLimitMs: leftMs, probeMs: waitsForProbes ? leftMs : 0 })
    } catch (error) {
      onError(error as Error)
    }
    if (verdict !== 'has_work') return { end: verdict, lanesLeft }
    if (abort.aborted) return { end: 'aborted', lanesLeft }
    if (leftMs === 0) return { end: 'time_is_up', lanesLeft }
    await delay(Math.min(READ_EVERY_MS, leftMs), undefined, { signal: abort }).catch(() => {}) // aborted: read once more
  }
}
