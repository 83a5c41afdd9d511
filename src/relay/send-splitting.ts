import type { BatchEntry } from './batch.ts'
import type { Permit } from './breaker.ts'
import type { SendOptions } from './breaker-policy.ts'
import { charge, mayBeTheirs } from './exhaust.ts'
import { judge } from './judge.ts'
import type { LaneOutcome } from './lane-outcome.ts'
import { pickAnother } from './pick-another.ts'
import type { Round } from './round.ts'
import { askLeave, failed } from './turn.ts'

/**
 * Sends a batch; where its content or its size is refused, halves it until the culprit stands alone. The first
 * half is settled before the second is sent, so order holds also then.
 *
 * A batch at which the service fails is halved too, if another intent passes meanwhile: then it is not the
 * destination that fails. Undefined: go on.
 */
export async function sendSplitting(
  round: Round,
  batch: readonly BatchEntry[],
  permit: Permit,
): Promise<LaneOutcome | undefined> {
  const { turn } = round
  let leave: Permit | undefined = permit
  let isolating = false
  const parts = [batch]
  for (let next = parts.pop(); next; next = parts.pop()) {
    const part = round.left(next)
    if (part.length === 0) continue
    if (leave === undefined) {
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      const asked = await askLeave(turn)
      if (typeof asked === 'object') return asked
      leave = asked
    }
    const passedBefore = turn.breaker.passed
    const verdict = await send(round, part, leave, isolating && part.length > 1 ? 'never' : 'always')
    leave = undefined
    if (verdict.kind === 'wait') return { kind: 'handed_back' }
    if (verdict.kind === 'settle') {
      await round.settle(verdict)
      continue
    }
    if (verdict.kind === 'fail') {
      if (!mayBeTheirs(turn, verdict)) return failed(turn, verdict)
      isolating = true
      const end = await tryAnother(round, part, passedBefore)
      if (end === 'fails') return failed(turn, verdict)
      if (end !== 'passes') return end
      const [only] = part
      if (only && part.length === 1) {
        const dead = await charge(turn, only.row, verdict)
        if (dead !== 'waits') await round.settle({ delivered: [], dead: [dead] })
        continue
      }
    }
    const middle = Math.ceil(part.length / 2)
    parts.push(part.slice(middle), part.slice(0, middle))
  }
  return undefined
}

/** Whether another intent passes at which the part failed: of this lane, or meanwhile of another one. */
async function tryAnother(
  round: Round,
  part: readonly BatchEntry[],
  passedBefore: number,
): Promise<'passes' | 'fails' | LaneOutcome> {
  const { turn } = round
  const other = pickAnother(turn.destination, round.rows, part)
  // Of what has failed alone while others passed no more is asked when there is nobody to compare it with.
  if (!other) return isSuspect(part) || turn.breaker.passed > passedBefore ? 'passes' : 'fails'
  const leave = await askLeave(turn)
  if (typeof leave === 'object') return leave
  const verdict = await send(round, [other], leave, 'never')
  if (verdict.kind === 'wait') return { kind: 'handed_back' }
  if (verdict.kind !== 'settle') return 'fails'
  await round.settle(verdict)
  return 'passes'
}

async function send(
  { turn }: Round,
  part: readonly BatchEntry[],
  leave: Permit,
  retries: NonNullable<SendOptions['retries']>,
) {
  const items = part.map(({ item }) => item)
  const answer = await turn.breaker.run(leave, () => turn.destination.transport.send(items), {
    retries,
    stopping: turn.stopping,
    suspect: isSuspect(part),
  })
  return judge(answer, part)
}

function isSuspect([only]: readonly BatchEntry[]): boolean {
  return (only?.row.attempts ?? 0) > 0 // they travel alone
}
