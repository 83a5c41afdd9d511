import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { BlockedKeys } from './blocked-keys.ts'
import type { Gate } from './gate.ts'
import type { LaneContext } from './lane-context.ts'
import type { LaneReader } from './lane-reader.ts'
import type { LaneWriter } from './lane-writer.ts'
import type { Suspects } from './suspects.ts'

/** One worker's time with a lane, from the claim to the release. */
export interface Turn
  extends Pick<LaneContext, 'batchSize' | 'intentRetry' | 'inFlight' | 'idleWait' | 'stopping'> {
  /** Reads the lane's intents in order. */
  readonly reader: LaneReader
  /** Writes results to the lane. */
  readonly writer: LaneWriter
  /** The way to the destination. */
  readonly gate: Gate
  readonly keys: WaitingKeys
}

/** The ordering keys whose next intents the turn does not send for now. */
export interface WaitingKeys {
  /** Keys whose first intent waits. */
  readonly blocked: BlockedKeys
  /** Keys with suspects. */
  readonly suspects: Suspects
}

/** The next rows in order that may be sent. None if the lane is empty, or all its rows are blocked or suspected. */
export async function nextRows({
  writer,
  reader,
  keys,
}: Pick<Turn, 'writer' | 'reader' | 'keys'>): Promise<readonly QueuedIntent[]> {
  await writer.ready()
  for (;;) {
    const rows = await reader.peek()
    const ready = withoutKeys(keys.blocked.ready(rows), keys.suspects.keys)
    if (ready.length === rows.length) return ready
    reader.skipKeys(waitingKeys(keys))
  }
}

function withoutKeys(rows: readonly QueuedIntent[], keys: ReadonlySet<string>): readonly QueuedIntent[] {
  return keys.size === 0 ? rows : rows.filter(({ orderingKey }) => !keys.has(orderingKey))
}

/** All keys that are blocked or suspected. */
export function waitingKeys({ suspects, blocked }: WaitingKeys): Set<string> {
  return new Set([...suspects.keys, ...blocked.keys])
}

/** @returns the outcome of a turn that has nothing to send. */
export function outcomeWithoutWork({ blocked }: WaitingKeys): LaneOutcome {
  return blocked.any ? { kind: 'handed_back', waitMs: blocked.waitMs } : { kind: 'drained' }
}

/**
 * Waits for more work in a lane whose rows are all settled.
 *
 * @returns whether the lane may have work. If not, the turn ends.
 */
export async function waitForMore({
  gate,
  idleWait,
  reader,
  stopping,
  keys,
}: Pick<Turn, 'gate' | 'idleWait' | 'reader' | 'stopping' | 'keys'>): Promise<boolean> {
  if (keys.blocked.any || stopping.aborted || !gate.acceptsRequests || !gate.settingsAreCurrent())
    return false
  await reader.flushWatermark()
  if (!(await idleWait.untilWork(reader.readAt)) || stopping.aborted || !gate.settingsAreCurrent())
    return false
  reader.markUnread()
  return true
}
