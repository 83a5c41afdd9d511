import type { BreakerRow } from '../../store/breakers/read-breakers.ts'
import type { ReadyLanes } from '../../store/lanes/find-ready-lanes.ts'

/** What a drain reads of the queue. */
export interface QueueReading extends Pick<ReadyLanes, 'lanes' | 'dueInMs' | 'breakers'> {
  /** Bulk actions that the relay carries out before it ends. Default: none. */
  readonly openActions?: number
}

/**
 * What a drain finds in the queue.
 *
 * - `empty`: no intent is pending, and no bulk action is open.
 * - `stopped`: every destination that has pending intents is stopped for longer than the drain waits.
 * - `has_work`: anything else.
 */
export type QueueVerdict = 'empty' | 'stopped' | 'has_work'

/** How long a drain waits for a destination that is stopped. */
export interface Patience {
  /** Milliseconds until the end of a rate limit. */
  readonly rateLimitMs: number
  /** Milliseconds until the next probe of a breaker that is open, or paused for a refused credential. */
  readonly probeMs: number
}

/** Judges a reading of the queue. Pure. */
export function judgeQueue(
  { lanes, dueInMs, breakers = [], openActions = 0 }: QueueReading,
  patience: Patience,
): QueueVerdict {
  if (openActions > 0) return 'has_work'
  // A scheduled intent that is due moves to its lane with one of the next polls.
  if (dueInMs != null && dueInMs <= 0) return 'has_work'
  if (lanes.length === 0) return 'empty'
  const rows = new Map(breakers.map((row) => [row.destination, row]))
  return lanes.every(({ destination }) => isStopped(rows.get(destination), patience)) ? 'stopped' : 'has_work'
}

/** @param row The breaker's row. Undefined: it has never failed. */
function isStopped(row: BreakerRow | undefined, { rateLimitMs, probeMs }: Patience): boolean {
  if (row === undefined) return false
  if ((row.rateLimitedForMs ?? 0) > rateLimitMs) return true
  switch (row.state) {
    case 'closed':
    case 'half_open': // one relay of the fleet is probing
      return false
    case 'rejecting':
      return true
    case 'paused':
      return row.retryInMs === null || row.retryInMs > probeMs
    case 'open':
      return (row.retryInMs ?? 0) > probeMs
  }
}
