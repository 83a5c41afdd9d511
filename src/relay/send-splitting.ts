import type { BatchEntry } from './batch.ts'
import type { Permit } from './breaker.ts'
import { blame, charge, mayBeTheirs } from './exhaust.ts'
import { judge, refusalOf } from './judge.ts'
import type { LaneOutcome } from './lane-outcome.ts'
import type { Round } from './round.ts'
import { askLeaveAgain, canCompare, isSuspect, tryOthers } from './try-others.ts'
import { failed } from './turn.ts'

/**
 * Sends a batch; where its content or its size is refused, halves it until the culprit stands alone. The first
 * half is settled before the second is sent, so order holds also then.
 *
 * A batch at which the service fails is halved too, if another intent passes meanwhile: then it is not the
 * destination that fails, and its breaker does not count it. Undefined: go on.
 */
export async function sendSplitting(
  round: Round,
  batch: readonly BatchEntry[],
  permit: Permit,
): Promise<LaneOutcome | undefined> {
  const { turn } = round
  const { comparison } = turn.breaker
  const failedBefore = new Set<string>()
  let leave: Permit | undefined = permit
  const parts = [batch]
  for (let next = parts.pop(); next; next = parts.pop()) {
    const part = round.left(next)
    const [first, ...others] = part
    if (first === undefined) continue
    if (leave === undefined) {
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      const asked = await askLeaveAgain(turn)
      if (typeof asked === 'object') return asked
      leave = asked
    }
    const { passed } = comparison
    const verdict = await send(round, part, leave)
    leave = undefined
    if (verdict.kind === 'wait') return { kind: 'handed_back' }
    if (verdict.kind === 'settle') {
      await round.settle(verdict)
      continue
    }
    if (verdict.kind === 'fail') {
      if (!mayBeTheirs(turn, verdict)) return failed(turn, verdict)
      const end = comparison.passed > passed ? 'pass' : await tryOthers(round, part, verdict)
      if (typeof end === 'object') return end
      if (end === 'fail') {
        comparison.beginAnew(first.row.id)
        return blame(turn, verdict)
      }
      if (others.length === 0) {
        if (isSuspect(part) || failedBefore.has(first.row.seq)) {
          const dead = await charge(turn, first.row, verdict)
          if (dead !== 'waits') await round.settle({ delivered: [], dead: [dead] })
        } else {
          // It may have been a moment's failure: once more, now that another has passed.
          failedBefore.add(first.row.seq)
          parts.push(part)
        }
        continue
      }
    }
    const middle = Math.ceil(part.length / 2)
    parts.push(part.slice(middle), part.slice(0, middle))
  }
  return undefined
}

/** One request. A failure that is to be compared does not count against the destination: that of others does. */
async function send(round: Round, part: readonly BatchEntry[], leave: Permit) {
  const { breaker, destination, stopping } = round.turn
  const { passed } = breaker.comparison
  const items = part.map(({ item }) => item)
  const answer = await breaker.run(leave, () => destination.transport.send(items), {
    stopping,
    counts: (failure) => {
      breaker.comparison.begin(round.firstId, passed)
      return !(mayBeTheirs(round.turn, failure) && canCompare(round, part, refusalOf(failure)))
    },
  })
  // Also a probe's: it is of nobody who is to go with others.
  if (answer?.kind === 'unavailable' || answer?.kind === 'credential')
    breaker.comparison.begin(round.firstId, passed)
  return judge(answer, part)
}
