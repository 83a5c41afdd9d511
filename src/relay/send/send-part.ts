import type { Permit } from '../breaker/breaker.ts'
import { GO_ON, type NextStep } from '../lane-outcome.ts'
import { halve, type Part } from '../turn/suspects.ts'
import type { Turn } from '../turn/turn.ts'
import { countsAtOnce, type Evidence } from './attribute.ts'
import { attributeFailure, endBlamed, mayBeContent } from './attribute-failure.ts'
import { canCompare, recordOf, sendCanaries, wasCharged } from './canary.ts'
import { chargeFailure } from './charge-failure.ts'
import { blameOf, type Failure, interpretAnswer } from './interpret-answer.ts'

/**
 * Sends intents in one request, and settles them. If their content or size is refused, or they fail while other requests
 * pass, they are suspects and are put back in two halves, until each culprit stands alone. A culprit that was refused becomes
 * a dead letter, and one that failed is charged an attempt. The first half is settled before the second is sent, so order
 * holds.
 */
export async function sendPart(turn: Turn, part: Part, permit: Permit): Promise<NextStep> {
  const { progress, entries } = part
  if (entries.length === 0) return GO_ON
  const { passes } = turn.gate.history
  const verdict = await send(turn, part, permit)
  switch (verdict.kind) {
    case 'wait':
      return { kind: 'handed_back' }
    case 'settle':
      await progress.settle(verdict)
      // Intents that the breaker did not admit stay in the queue, and so do those that follow them.
      for (const { row } of entries)
        if (!progress.settled.has(row.seq)) turn.keys.suspects.dropKey(row.orderingKey)
      return GO_ON
    case 'split':
      return separate(turn, part)
    case 'fail':
      return endFailure(turn, part, verdict, passes)
  }
}

/** Sends one request. A failure that is compared later does not count for the breaker, but failures of its canaries do. */
async function send(turn: Turn, part: Part, permit: Permit) {
  const { gate, stopping } = turn
  const { progress, entries } = part
  const { breaker, destination, history } = gate
  const { passes } = history
  const items = entries.map(({ item }) => item)
  const answer = await breaker.run(permit, () => destination.transport.send(items), {
    stopping,
    counts: (failure) => {
      history.recordFailure(progress.firstId, passes)
      const blames = blameOf(failure)
      return countsAtOnce(mayBeContent(turn, failure), recordOf(turn, part, blames), () =>
        canCompare(turn, entries, blames),
      )
    },
  })
  // The failure of a probe is recorded, too, so that its intent does not share a request with other lanes.
  if (answer?.kind === 'unavailable' || answer?.kind === 'credential') {
    history.recordFailure(progress.firstId, passes)
  }
  return interpretAnswer(answer, entries)
}

/** Attributes the failure of a part, and acts on it. */
async function endFailure(turn: Turn, part: Part, failure: Failure, passesBefore: number): Promise<NextStep> {
  const { progress, entries, isolated } = part
  const evidence = evidenceOf(turn, part, failure, passesBefore)
  const whose = await attributeFailure(evidence, () => sendCanaries(turn, part, failure))
  if (typeof whose === 'object') return whose
  const [first, ...others] = entries
  if (first === undefined) return GO_ON
  if (whose !== 'intent') {
    if (whose !== 'retry_later') turn.gate.history.resetBaseline(first.row.id)
    return endBlamed(turn, whose, failure)
  }
  if (others.length > 0) return separate(turn, part)
  // The first failure of an intent that was sent alone may be temporary. So the intent is sent once more, now that another
  // request has passed.
  if (!isolated && !wasCharged(entries)) return putBack(turn, { ...part, isolated: true })
  const dead = await chargeFailure(turn, first.row, failure)
  if (dead) await progress.settle({ delivered: [], dead: [dead] })
  return GO_ON
}

/**
 * The evidence about a failed part. For several intents, a request that passed lately is enough, because halving without need
 * costs only requests. For a single intent, which may be charged an attempt, another request must have passed after it was
 * sent.
 */
function evidenceOf(
  turn: Turn,
  { progress, entries }: Part,
  failure: Failure,
  passesBefore: number,
): Evidence {
  const { history } = turn.gate
  const passedLately = history.hasPassedLately && history.hasPassedSince(progress.firstId)
  return {
    blames: failure.blames,
    mayBeContent: mayBeContent(turn, failure),
    othersPass: history.passes > passesBefore || (entries.length > 1 && passedLately),
  }
}

async function separate(turn: Turn, { progress, entries }: Part): Promise<NextStep> {
  return putBack(turn, ...halve(entries).map((half) => ({ progress, entries: half, isolated: true })))
}

async function putBack(turn: Turn, ...parts: readonly Part[]): Promise<NextStep> {
  turn.keys.suspects.putBack(...parts)
  await parts[0]?.progress.settleAside()
  return GO_ON
}
