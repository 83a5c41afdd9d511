import { setTimeout as delay } from 'node:timers/promises'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { SendOptions } from '../breaker/breaker-policy.ts'
import type { Compared } from '../breaker/comparison.ts'
import { mayBeTheirs } from './exhaust.ts'
import { type Failure, judge, type Verdict } from './judge.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickAnother } from './pick-another.ts'
import type { Part } from '../turn/suspects.ts'
import { askLeave, failed, type Turn } from '../turn/turn.ts'

/**
 * So many are tried, one after the other, if none passes: also one of them may be a culprit. Each failure counts, so that
 * in an outage the breaker has opened by then, after no more requests than it takes. A credential that was revoked is
 * refused to each of them: the destination is paused after two.
 */
const OTHERS = { destination: 5, credential: 2 }

type Refusal = Pick<Failure, 'refused'>

/** Whether there is something to compare a part of a batch with at which the service fails. */
export function canCompare(
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
export async function tryOthers(turn: Turn, { round, entries }: Part, failure: Failure): Promise<Compared> {
  const known = () => {
    if (hasPassedFor(turn, round.firstId, entries)) return 'pass'
    return isRefusedAgain(entries, failure) ? failed(turn, failure) : 'fail'
  }
  if (!canCheck(turn, failure) && !pick(turn, entries)) return known()
  const blamed = failure.refused ?? 'destination'
  const mine: Settlement[] = []
  const end = await turn.breaker.comparison.byOthers(blamed, async () => {
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
      const leave = await askLeaveAgain(turn)
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
      if (verdict.kind === 'fail' && !mayBeTheirs(turn, verdict)) return 'fail'
    }
    return 'fail'
  })
  for (const settlement of mine) await round.settle(settlement)
  return end
}

function canCheck({ destination }: Turn, { refused }: Refusal): boolean {
  return refused === 'credential' && destination.transport.checkCredential !== undefined
}

/** Asks for the account of the credential; the answer is not about any intent. */
async function checkCredential(turn: Turn): Promise<Compared | 'unknown'> {
  const leave = await askLeaveAgain(turn)
  if (typeof leave === 'object') return leave
  const said = await turn.destination.transport.checkCredential?.()
  if (said === 'accepted') turn.breaker.comparison.pass()
  return said === 'accepted' ? 'pass' : said === 'refused' ? 'fail' : 'unknown'
}

/** Leave for one more request of a batch. Never a probe's: that is somebody's at random. */
export async function askLeaveAgain(turn: Turn): Promise<Permit | LaneOutcome> {
  const leave = await askLeave(turn)
  if (leave !== 'probe') return leave
  turn.breaker.giveBack(leave)
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
  return judge(await breaker.run(leave, send, { ...how, retries: 'never' }), [other])
}

async function pause({ breaker, stopping }: Turn, failures: number): Promise<void> {
  await delay(breaker.retryDelayMs(failures), undefined, { signal: stopping }).catch(() => {})
}

/**
 * Of what is not suspected, or of the suspects if nothing has passed lately: they may be all that is left of a lane, and
 * each of them may be a culprit. Suspects of the part's own keys follow the part in its order: the relay never tries them.
 */
function pick(
  { breaker, destination, reader, suspects, waiting }: Turn,
  part: readonly BatchEntry[],
): BatchEntry | undefined {
  const keys = suspects.keys
  const rows = reader.rows.filter(({ orderingKey }) => !keys.has(orderingKey) && !waiting.has(orderingKey))
  const other = pickAnother(destination, rows, part)
  if (other || breaker.comparison.hasPassedLately) return other
  const own = new Set(part.map(({ row }) => row.orderingKey))
  const others = suspects.rows.filter(({ orderingKey }) => !own.has(orderingKey))
  return pickAnother(destination, others, part)
}

/** Others have passed since the batch failed first, and lately. */
export function hasPassedLately({ breaker }: Turn, firstId: string): boolean {
  return breaker.comparison.hasPassedLately && breaker.comparison.hasPassedSince(firstId)
}

function hasPassedFor({ breaker }: Turn, firstId: string, [only]: readonly BatchEntry[]): boolean {
  return breaker.comparison.hasPassedFor(firstId, only?.row.attempts ?? 0)
}

/** An intent that was charged is refused for its content, as far as is known: alone it is no evidence against the credential. */
function isRefusedAgain(part: readonly BatchEntry[], { refused }: Refusal): boolean {
  return refused === 'credential' && isSuspect(part)
}
