import type { QueuedIntent } from '../store/read-lane.ts'
import type { Settlement } from '../store/settle.ts'
import { type BatchEntry, type Cut, cutBatch } from './batch.ts'
import type { Permit } from './breaker.ts'
import { judge } from './judge.ts'
import type { LaneOutcome } from './lane-outcome.ts'
import { askLeave, settleAndTell, type Turn } from './turn.ts'

/** read → cut → ask leave → send → settle, batch by batch. */
export async function drainBatches(turn: Turn): Promise<LaneOutcome> {
  const { reader } = turn
  while (!turn.stopping.aborted) {
    const rows = await reader.peek()
    if (rows.length === 0) return { kind: 'drained' }
    const cut = cutNext(turn, rows, turn.batchSize)
    if (cut.batch.length === 0) {
      // What is not to be sent takes no one's turn under the limit.
      await settleAndTell(turn, { delivered: [], dead: cut.dead, suppressed: cut.suppressed })
      reader.used(cut.used)
      continue
    }
    const leave = await askLeave(turn)
    if (typeof leave === 'object') return leave
    // A probe is one small request: an outage is no time for a batch of a thousand.
    const outcome = await sendNext(turn, leave, leave === 'probe' ? cutNext(turn, rows, 1) : cut)
    if (outcome) return outcome
  }
  return { kind: 'handed_back' }
}

function cutNext({ destination }: Turn, rows: readonly QueuedIntent[], count: number): Cut {
  const { limits } = destination.transport
  return cutBatch(rows, { ...limits, count: Math.min(count, limits.count) }, destination.prepare)
}

/** Sends one batch, and settles it. Undefined: go on. */
async function sendNext(turn: Turn, permit: Permit, cut: Cut): Promise<LaneOutcome | undefined> {
  const { reader } = turn
  // Both are waited for, whatever happens to either: the lane is not let go of with a request under way.
  const [sent, ahead] = await Promise.allSettled([
    sendSplitting(turn, cut.batch, { delivered: [], dead: cut.dead, suppressed: cut.suppressed }, permit),
    reader.readAhead(cut.used),
  ])
  if (sent.status === 'rejected') throw sent.reason
  if (ahead.status === 'rejected') throw ahead.reason
  if (sent.value === undefined) reader.used(cut.used)
  return sent.value
}

/**
 * Sends a batch; where its content or its size is refused, halves it until the culprit stands alone. The first
 * half is settled before the second is sent, so order holds also then.
 */
async function sendSplitting(
  turn: Turn,
  batch: readonly BatchEntry[],
  without: Settlement,
  permit: Permit,
): Promise<LaneOutcome | undefined> {
  let unsettled: Settlement | undefined = without
  let leave: Permit | undefined = permit
  const parts = [batch]
  for (let part = parts.pop(); part; part = parts.pop()) {
    if (leave === undefined) {
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      const asked = await askLeave(turn)
      if (typeof asked === 'object') return asked
      leave = asked
    }
    const items = part.map(({ item }) => item)
    const answer = await turn.breaker.run(leave, () => turn.destination.transport.send(items), {
      stopping: turn.stopping,
    })
    leave = undefined
    const verdict = judge(answer, part)
    if (verdict.kind === 'wait') return { kind: 'handed_back' }
    if (verdict.kind === 'fail') {
      return turn.breaker.state === 'closed'
        ? { kind: 'failed', message: verdict.message }
        : { kind: 'handed_back' }
    }
    if (verdict.kind === 'split') {
      const middle = Math.ceil(part.length / 2)
      parts.push(part.slice(middle), part.slice(0, middle))
      continue
    }
    await settleAndTell(turn, {
      ...verdict,
      dead: [...(unsettled?.dead ?? []), ...verdict.dead],
      suppressed: unsettled?.suppressed ?? [],
    })
    unsettled = undefined
  }
  return undefined
}
