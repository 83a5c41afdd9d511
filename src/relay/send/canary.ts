import { setTimeout as delay } from 'node:timers/promises'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { SendOptions } from '../breaker/policy.ts'
import type { CanaryResult, Blamed } from '../breaker/failure-history.ts'
import type { Gate } from '../turn/gate.ts'
import type { Part } from '../turn/suspects.ts'
import type { Turn } from '../turn/turn.ts'
import { compareWithHistory, type FailureRecord } from './attribute.ts'
import { mayBeContent } from './attribute-failure.ts'
import { type Failure, interpretAnswer, type Verdict } from './interpret-answer.ts'
import { pickCanary } from './pick-canary.ts'

/**
 * The most canaries that are sent one after the other until one passes. One is not enough, because it may be a culprit, too.
 * Each failure counts, so in an outage the breaker opens after no more requests than its limit. A revoked credential is
 * refused to every canary, so the destination is paused after two.
 */
const MOST_CANARIES: { readonly [key in Blamed]: number } = { destination: 5, credential: 2 }

/** Whether there is another request to compare a failed part of a batch with. */
export function canCompare(turn: Turn, part: readonly BatchEntry[], blames: Blamed): boolean {
  return canCheckCredential(turn.gate, blames) || pick(turn, part) !== undefined
}

/**
 * What this relay remembers of a failed part. If an intent was charged before, its refusal is assumed to be about its
 * content.
 */
export function recordOf(
  { gate }: Pick<Turn, 'gate'>,
  { progress, entries }: Part,
  blames: Blamed,
): FailureRecord {
  return {
    othersPassed: gate.history.hasPassedFor(progress.firstId, entries[0]?.row.attempts ?? 0),
    provesNothing: blames === 'credential' && wasCharged(entries),
  }
}

/** Whether the part is an intent that has failed alone before. It is never sent together with others. */
export function wasCharged([only]: readonly BatchEntry[]): boolean {
  return (only?.row.attempts ?? 0) > 0
}

/**
 * Finds out whether other requests pass after a part has failed: asks for the credential's account, sends other intents of
 * the lane, or consults the history, which knows of other lanes.
 */
export async function sendCanaries(turn: Turn, part: Part, failure: Failure): Promise<CanaryResult> {
  const { blames } = failure
  const { progress, entries } = part
  const checks = canCheckCredential(turn.gate, blames)
  const withoutCanary = () => compareWithHistory(recordOf(turn, part, blames))
  if (!checks && !pick(turn, entries)) return withoutCanary()
  const settlements: Settlement[] = []
  const result = await turn.gate.history.runCanary(blames, async () => {
    if (checks) {
      const checked = await checkCredential(turn.gate)
      if (checked !== 'unknown') return checked
      if (!pick(turn, entries)) return withoutCanary()
    }
    for (let failures = 0; failures < MOST_CANARIES[blames]; failures++) {
      if (failures > 0) await backOff(turn, failures)
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      const canary = pick(turn, entries)
      if (!canary) return 'fail'
      const permit = await turn.gate.acquireOrdinaryPermit()
      if (typeof permit === 'object') return permit
      const verdict = await sendAlone(turn.gate, canary, permit, {
        // A refusal does not count if the credential is in question: it may be about the content of the canary, too.
        counts: (answer) => blames === 'destination' || answer.kind !== 'credential',
      })
      if (verdict.kind === 'wait') return { kind: 'handed_back' }
      if (verdict.kind === 'settle') {
        settlements.push(verdict)
        return 'pass'
      }
      if (verdict.kind === 'fail' && !mayBeContent(turn, verdict)) return 'fail'
    }
    return 'fail'
  })
  for (const settlement of settlements) await progress.settle(settlement)
  return result
}

function canCheckCredential({ destination }: Gate, blames: Blamed): boolean {
  return blames === 'credential' && destination.transport.checkCredential !== undefined
}

/** Asks for the account of the credential. The answer is not about the content of any intent. */
async function checkCredential(gate: Gate): Promise<CanaryResult | 'unknown'> {
  const permit = await gate.acquireOrdinaryPermit()
  if (typeof permit === 'object') return permit
  const result = await gate.destination.transport.checkCredential?.()
  if (result === 'accepted') gate.history.recordPass()
  return result === 'accepted' ? 'pass' : result === 'refused' ? 'fail' : 'unknown'
}

async function sendAlone(
  { breaker, destination }: Gate,
  canary: BatchEntry,
  permit: Permit,
  how: Pick<SendOptions, 'counts'>,
): Promise<Verdict> {
  const send = () => destination.transport.send([canary.item])
  return interpretAnswer(await breaker.run(permit, send, { ...how, retries: 'never' }), [canary])
}

async function backOff({ gate, stopping }: Turn, failures: number): Promise<void> {
  await delay(gate.breaker.canaryDelayMs(failures), undefined, { signal: stopping }).catch(() => {})
}

/**
 * Picks a canary among the intents that are not suspects. If there is none, and no request has passed lately, picks a
 * suspect, although each may be a culprit: the lane may have nothing else left. Never picks a suspect with an ordering key
 * of the failed intents, because it must be sent after them.
 */
function pick(
  { gate, reader, keys: { suspects, blocked } }: Turn,
  part: readonly BatchEntry[],
): BatchEntry | undefined {
  const suspected = suspects.keys
  const rows = reader.rows.filter(
    ({ orderingKey }) => !suspected.has(orderingKey) && !blocked.has(orderingKey),
  )
  const canary = pickCanary(gate.destination, rows, part)
  if (canary || gate.history.hasPassedLately) return canary
  const own = new Set(part.map(({ row }) => row.orderingKey))
  const others = suspects.rows.filter(({ orderingKey }) => !own.has(orderingKey))
  return pickCanary(gate.destination, others, part)
}
