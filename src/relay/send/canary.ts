import { setTimeout as delay } from 'node:timers/promises'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { SendOptions } from '../breaker/policy.ts'
import type { CanaryResult } from '../breaker/failure-history.ts'
import { mayBeIntentFault } from './charge-failure.ts'
import { type Failure, interpretAnswer, type Verdict } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickCanary } from './pick-canary.ts'
import type { Part } from '../turn/suspects.ts'
import { acquirePermit, endFailed, type Turn } from '../turn/turn.ts'

/**
 * So many are tried, one after the other, if none passes: also one of them may be a culprit. Each failure counts, so that
 * in an outage the breaker has opened by then, after no more requests than it takes. A credential that was revoked is
 * refused to each of them: the destination is paused after two.
 */
const OTHERS = { destination: 5, credential: 2 }

type Refusal = Pick<Failure, 'refused'>

/** Whether there is something to compare a part of a batch with at which the service fails. */
export function canUseCanary(
  turn: Turn,
  firstId: string,
  entries: readonly BatchEntry[],
  failure: Refusal,
): boolean {
  return (
    canCheck(turn, failure) ||
    hasPassedFor(turn, firstId, entries) ||
    isRefusedAgain(entries, failure) ||
    pick(turn, entries) !== undefined
  )
}

/** Whether others pass at which the part failed: of this lane or, since it failed before, of another one. */
export async function sendCanaries(
  turn: Turn,
  { progress, entries }: Part,
  failure: Failure,
): Promise<CanaryResult> {
  const known = () => {
    if (hasPassedFor(turn, progress.firstId, entries)) return 'pass'
    return isRefusedAgain(entries, failure) ? endFailed(turn, failure) : 'fail'
  }
  if (!canCheck(turn, failure) && !pick(turn, entries)) return known()
  const blamed = failure.refused ?? 'destination'
  const mine: Settlement[] = []
  const end = await turn.breaker.history.runCanary(blamed, async () => {
    if (canCheck(turn, failure)) {
      const said = await checkCredential(turn)
      if (said !== 'unknown') return said
      if (!pick(turn, entries)) return known()
    }
    for (let failures = 0; failures < OTHERS[blamed]; failures++) {
      if (failures > 0) await pause(turn, failures)
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      const other = pick(turn, entries)
      if (!other) return 'fail'
      const leave = await acquireOrdinaryPermit(turn)
      if (typeof leave === 'object') return leave
      const verdict = await sendAlone(turn, other, leave, {
        // One refusal of two may be about the content of the other one, too.
        counts: (answer) => blamed === 'destination' || answer.kind !== 'credential',
      })
      if (verdict.kind === 'wait') return { kind: 'handed_back' }
      if (verdict.kind === 'settle') {
        mine.push(verdict)
        return 'pass'
      }
      if (verdict.kind === 'fail' && !mayBeIntentFault(turn, verdict)) return 'fail'
    }
    return 'fail'
  })
  for (const settlement of mine) await progress.settle(settlement)
  return end
}

function canCheck({ destination }: Turn, { refused }: Refusal): boolean {
  return refused === 'credential' && destination.transport.checkCredential !== undefined
}

/** Asks for the account of the credential; the answer is not about any intent. */
async function checkCredential(turn: Turn): Promise<CanaryResult | 'unknown'> {
  const leave = await acquireOrdinaryPermit(turn)
  if (typeof leave === 'object') return leave
  const said = await turn.destination.transport.checkCredential?.()
  if (said === 'accepted') turn.breaker.history.recordPass()
  return said === 'accepted' ? 'pass' : said === 'refused' ? 'fail' : 'unknown'
}

/** Leave for one more request of a batch. Never a probe's: that is somebody's at random. */
export async function acquireOrdinaryPermit(turn: Turn): Promise<Permit | LaneOutcome> {
  const leave = await acquirePermit(turn)
  if (leave !== 'probe') return leave
  turn.breaker.release(leave)
  return { kind: 'handed_back' }
}

/** What has failed alone before. It travels alone, too. */
export function isSuspect([only]: readonly BatchEntry[]): boolean {
  return (only?.row.attempts ?? 0) > 0
}

async function sendAlone(
  { breaker, destination }: Turn,
  other: BatchEntry,
  leave: Permit,
  how: Pick<SendOptions, 'counts'>,
): Promise<Verdict> {
  const send = () => destination.transport.send([other.item])
  return interpretAnswer(await breaker.run(leave, send, { ...how, retries: 'never' }), [other])
}

async function pause({ breaker, stopping }: Turn, failures: number): Promise<void> {
  await delay(breaker.retryDelayMs(failures), undefined, { signal: stopping }).catch(() => {})
}

/**
 * Of what is not suspected, or of the suspects if nothing has passed lately: they may be all that is left of a lane, and
 * each of them may be a culprit. Suspects of the part's own keys follow the part in its order: the relay never tries them.
 */
function pick(
  { breaker, destination, reader, suspects, blocked }: Turn,
  part: readonly BatchEntry[],
): BatchEntry | undefined {
  const keys = suspects.keys
  const rows = reader.rows.filter(({ orderingKey }) => !keys.has(orderingKey) && !blocked.has(orderingKey))
  const other = pickCanary(destination, rows, part)
  if (other || breaker.history.hasPassedLately) return other
  const own = new Set(part.map(({ row }) => row.orderingKey))
  const others = suspects.rows.filter(({ orderingKey }) => !own.has(orderingKey))
  return pickCanary(destination, others, part)
}

/** Others have passed since the batch failed first, and lately. */
export function hasPassedLately({ breaker }: Turn, firstId: string): boolean {
  return breaker.history.hasPassedLately && breaker.history.hasPassedSince(firstId)
}

function hasPassedFor({ breaker }: Turn, firstId: string, [only]: readonly BatchEntry[]): boolean {
  return breaker.history.hasPassedFor(firstId, only?.row.attempts ?? 0)
}

/** An intent that was charged is refused for its content, as far as is known: alone it is no evidence against the credential. */
function isRefusedAgain(part: readonly BatchEntry[], { refused }: Refusal): boolean {
  return refused === 'credential' && isSuspect(part)
}
