import type { Permit } from '../breaker/breaker.ts'
import { blameDestination, chargeFailure, mayBeIntentFault } from './charge-failure.ts'
import { type Failure, interpretAnswer, refusalOf } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { halve, type Part } from '../turn/suspects.ts'
import { canUseCanary, hasPassedLately, isSuspect, sendCanaries } from './canary.ts'
import { endFailed, type Turn } from '../turn/turn.ts'

/**
 * Sends intents in one request, and settles them. If their content or size is refused, or the service fails at them while
 * other requests pass, they are suspects and are put back in two halves, until the culprit stands alone: it is charged an
 * attempt. The first half is settled before the second is sent, so order holds. Undefined: the turn goes on.
 */
export async function sendPart(turn: Turn, part: Part, permit: Permit): Promise<LaneOutcome | undefined> {
  const { progress, entries } = part
  const { history } = turn.breaker
  const { passes } = history
  const [first, ...others] = entries
  if (first === undefined) return undefined
  const verdict = await send(turn, part, permit)
  switch (verdict.kind) {
    case 'wait':
      return { kind: 'handed_back' }
    case 'settle':
      await progress.settle(verdict)
      // What the breaker did not admit stays in the queue, and so does what follows it.
      for (const { row } of entries)
        if (!progress.settled.has(row.seq)) turn.suspects.dropKey(row.orderingKey)
      return undefined
    case 'split':
      return separate(turn, part)
    case 'fail': {
      if (!mayBeIntentFault(turn, verdict)) return endFailed(turn, verdict)
      const end = history.passes > passes ? 'pass' : await compare(turn, part, verdict)
      if (typeof end === 'object') return end
      if (end === 'fail') {
        history.resetBaseline(first.row.id)
        return blameDestination(turn, verdict)
      }
      if (others.length > 0) return separate(turn, part)
      if (!part.isolated && !isSuspect(entries)) {
        // It may have been a moment's failure: once more, now that another has passed.
        return putBack(turn, { ...part, isolated: true })
      }
      const dead = await chargeFailure(turn, first.row, verdict)
      if (dead !== 'waits') await progress.settle({ delivered: [], dead: [dead] })
      return undefined
    }
  }
}

/** One request. A failure that is to be compared does not count against the destination: that of others does. */
async function send(turn: Turn, { progress, entries }: Part, leave: Permit) {
  const { breaker, destination, stopping } = turn
  const { passes } = breaker.history
  const items = entries.map(({ item }) => item)
  const answer = await breaker.run(leave, () => destination.transport.send(items), {
    stopping,
    counts: (failure) => {
      breaker.history.recordFailure(progress.firstId, passes)
      return !(
        mayBeIntentFault(turn, failure) && canUseCanary(turn, progress.firstId, entries, refusalOf(failure))
      )
    },
  })
  // Also a probe's: its intent must not share a request with other lanes.
  if (answer?.kind === 'unavailable' || answer?.kind === 'credential') {
    breaker.history.recordFailure(progress.firstId, passes)
  }
  return interpretAnswer(answer, entries)
}

/** To halve what need not be halved costs requests only; to charge an attempt takes another request that passes. */
async function compare(turn: Turn, part: Part, failure: Failure) {
  return part.entries.length > 1 && hasPassedLately(turn, part.progress.firstId)
    ? 'pass'
    : sendCanaries(turn, part, failure)
}

async function separate(turn: Turn, { progress, entries }: Part): Promise<undefined> {
  return putBack(turn, ...halve(entries).map((half) => ({ progress, entries: half, isolated: true })))
}

async function putBack(turn: Turn, ...parts: readonly Part[]): Promise<undefined> {
  turn.suspects.putBack(...parts)
  await parts[0]?.progress.settleAside()
  return undefined
}
