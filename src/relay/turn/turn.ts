import type { Fence } from '../../store/lanes/lane.ts'
import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import { FencedError, type Settlement } from '../../store/lanes/settle.ts'
import type { Permit } from '../breaker/breaker.ts'
import { describeFailure } from '../breaker/describe-failure.ts'
import type { LaneContext } from './lane-context.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { LaneReader } from './lane-reader.ts'
import { MAX_SLEEP_MS } from '../destination/rate-limiter.ts'
import { settleWithRetry } from './settle-with-retry.ts'
import type { Suspects } from './suspects.ts'
import type { BlockedKeys } from './blocked-keys.ts'

/** A lane's turn: what it needs, and the right to settle it. */
export interface Turn extends LaneContext {
  readonly fence: Fence
  readonly reader: LaneReader
  readonly bulk: boolean
  /** Whose first intent waits in this turn. */
  readonly blocked: BlockedKeys
  /** What has failed in this turn while others passed. */
  readonly suspects: Suspects
}

/** Leave for one request: of the breaker and of the fleet's rate limit. Otherwise how the turn ends. */
export async function acquirePermit(turn: Turn): Promise<Permit | LaneOutcome> {
  const permit = await turn.breaker.acquire()
  if (permit === undefined) return { kind: 'handed_back' }
  try {
    for (;;) {
      const waitMs = await turn.destination.acquireToken(turn.bulk)
      if (waitMs === 0) return permit
      if (waitMs > MAX_SLEEP_MS || turn.stopping.aborted) {
        turn.breaker.release(permit)
        return { kind: 'handed_back', waitMs }
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  } catch (error) {
    turn.breaker.release(permit)
    throw error
  }
}

/** Leave for up to `count` requests more, as many as may go at once: nothing is waited for. */
export async function acquireMore(turn: Turn, count: number): Promise<number> {
  for (let more = 0; more < count; more++) {
    if (turn.breaker.eligibility() !== 'all' || (await turn.destination.acquireToken(turn.bulk)) > 0)
      return more
  }
  return count
}

export async function settleAndReport(turn: Turn, settlement: Settlement): Promise<void> {
  const { delivered, dead, suppressed = [] } = settlement
  if (delivered.length + dead.length + suppressed.length === 0) return
  const { missedCampaign, serverChanged } = await settleWithRetry(turn, settlement)
  turn.onSettled(settlement, missedCampaign)
  if (serverChanged) throw new FencedError(turn.fence) // what else the turn has read is the former server's
}

/** The next rows in order that may go; none where the lane is empty or what it holds waits or is suspected. */
export async function nextRows(turn: Turn): Promise<readonly QueuedIntent[]> {
  const { partitions, reader, suspects, blocked } = turn
  await partitions.ready()
  for (;;) {
    const rows = await reader.peek()
    const ready = withoutKeys(blocked.ready(rows), suspects.keys)
    if (ready.length === rows.length) return ready
    reader.skipKeys(skippedKeys(turn))
  }
}

function withoutKeys(rows: readonly QueuedIntent[], keys: ReadonlySet<string>): readonly QueuedIntent[] {
  return keys.size === 0 ? rows : rows.filter(({ orderingKey }) => !keys.has(orderingKey))
}

/** The ordering keys of which nothing further may go. */
export function skippedKeys({ suspects, blocked }: Turn): Set<string> {
  return new Set([...suspects.keys, ...blocked.keys])
}

/** How a turn ends that has nothing to send. */
export function endIdle({ blocked }: Turn): LaneOutcome {
  return blocked.any ? { kind: 'handed_back', waitMs: blocked.waitMs } : { kind: 'drained' }
}

/** What was found in the lane is settled: lingers in it. True when there is more, false at the end of the turn. */
export async function waitForMore(turn: Turn): Promise<boolean> {
  const { breaker, idleWait, reader, stopping, blocked } = turn
  if (blocked.any || stopping.aborted || breaker.eligibility() !== 'all' || !turn.settingsAreCurrent())
    return false
  await reader.flushWatermark()
  if (!(await idleWait.untilWork(reader.readAt)) || stopping.aborted || !turn.settingsAreCurrent())
    return false
  reader.markUnread()
  return true
}

/** A request has failed: with a closed breaker the lane waits by itself, else until the destination may be tried. */
export function endFailed(
  { breaker }: Turn,
  failure: { readonly status: number | undefined; readonly message: string },
): LaneOutcome {
  const message = describeFailure(failure)
  return breaker.state === 'closed' ? { kind: 'failed', message } : { kind: 'handed_back' }
}
