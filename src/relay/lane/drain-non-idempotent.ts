import { markSending, unmarkSending } from '../../store/lanes/mark-sending.ts'
import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { DeadLetter, Settlement } from '../../store/lanes/settle.ts'
import { type BatchEntry, cutBatch } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { CanaryResult } from '../breaker/failure-history.ts'
import { blameDestination, chargeFailure, mayBeIntentFault } from '../send/charge-failure.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { yieldProbe, pickProbe } from '../send/probe.ts'
import {
  ambiguous,
  type Failed,
  isComparable,
  isTheirProbe,
  sendNonIdempotent,
} from '../send/send-non-idempotent.ts'
import { acquireOrdinaryPermit } from '../send/canary.ts'
import {
  acquirePermit,
  acquireMore,
  endFailed,
  waitForMore,
  nextRows,
  endIdle,
  settleAndReport,
  type Turn,
} from '../turn/turn.ts'

/** People of one lane to whom messages are sent at a time. */
const CONCURRENCY = 8

/**
 * What must not be sent twice: mark → send → settle, one request an intent. The mark is committed before the
 * request, so that whoever finds it later knows that a request may have gone out. In order per person, several
 * people at a time: a wave is the first waiting intent of each of the next people.
 */
export async function drainNonIdempotent(turn: Turn): Promise<LaneOutcome> {
  const { reader, blocked } = turn
  for (let wave = 0; !turn.stopping.aborted && !blocked.isDue; wave++) {
    if ((await reader.peek()).length === 0) {
      if (!(await waitForMore(turn))) return endIdle(turn)
      wave = -1 // as in a new turn
      continue
    }
    if (wave > 0) await reader.readAhead(0) // the next people, while some of the last are left
    const rows = await nextRows(turn)
    if (rows.length === 0) return endIdle(turn)
    const parked = rows.filter(isParked)
    if (parked.length > 0) {
      await settleAndReport(turn, { delivered: [], dead: parked.map(foundUnderWay) })
      reader.drop(new Set(parked.map(({ seq }) => seq)))
      continue
    }
    const outcome = await sendWave(turn, rows)
    if (outcome) return outcome
  }
  return { kind: 'handed_back' }
}

async function sendWave(turn: Turn, rows: readonly QueuedIntent[]): Promise<LaneOutcome | undefined> {
  const wave = cutWave(turn, rows)
  // What is not to be sent takes no one's turn under the limit.
  if (wave.dead.length + wave.suppressed.length > 0) {
    await settleAndDrop(turn, setAside(turn, rows))
    return undefined
  }
  const probe = turn.breaker.state === 'closed' ? undefined : pickProbe(turn, wave.batch)
  const left = turn.breaker.state === 'closed' ? undefined : yieldProbe(turn, probe)
  if (left) return left
  const leave = await acquirePermit(turn)
  if (typeof leave === 'object') return leave
  const { passes } = turn.breaker.history
  const entries = leave === 'probe' ? wave.batch.filter((entry) => entry === probe) : wave.batch
  const sent = await sendMarked(turn, entries, leave)
  return sent.outcome ?? endFailures(turn, sent.failures, passes)
}

/** Marks, sends and settles, each in a request of its own; what failed is still in the queue. */
async function sendMarked(turn: Turn, entries: readonly BatchEntry[], leave: Permit): Promise<WaveEnd> {
  const batch = await mark(turn, entries).catch((error: unknown) => {
    turn.breaker.release(leave)
    throw error
  })
  // All are waited for, whatever happens to any: the lane is not let go of with a request under way.
  const ends = await Promise.allSettled(batch.map((entry) => sendNonIdempotent(turn, entry, leave)))
  const results = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  const unsent = results.flatMap(({ unsent: row }) => (row === undefined ? [] : [row]))
  try {
    await settleAndDrop(turn, {
      delivered: results.flatMap(({ settlement }) => settlement?.delivered ?? []),
      dead: results.flatMap(({ settlement }) => settlement?.dead ?? []),
      deliveryIds: new Map(results.flatMap(({ settlement }) => [...(settlement?.deliveryIds ?? [])])),
    })
  } finally {
    if (unsent.length > 0) await unmarkSending(turn.db, turn.fence, unsent)
  }
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return {
    outcome: results.find(({ outcome }) => outcome)?.outcome,
    failures: results.flatMap(({ failure }) => (failure ? [failure] : [])),
  }
}

/** Who failed while others passed is charged an attempt and waits; the rest of the lane goes on. */
async function endFailures(
  turn: Turn,
  failures: readonly Failed[],
  passedBefore: number,
): Promise<LaneOutcome | undefined> {
  const { history } = turn.breaker
  const refused = failures.filter(({ verdict }) => verdict.refused)
  if (refused.length > 0 && history.passes === passedBefore && turn.breaker.state === 'closed') {
    const end = await compareRefused(turn, refused)
    if (typeof end === 'object') return end
    if (end === 'fail') {
      for (const { entry } of failures) history.resetBaseline(entry.row.id)
      return blameDestination(turn, (refused[0] as Failed).verdict)
    }
  }
  const othersPassed = history.passes > passedBefore
  for (const { entry, verdict } of failures) {
    const isTheirs = othersPassed || isComparable(turn, entry.row)
    if (!isTheirs || !(mayBeIntentFault(turn, verdict) || isTheirProbe(turn, entry.row, verdict))) {
      for (const { entry } of failures) history.resetBaseline(entry.row.id)
      return endFailed(turn, verdict)
    }
    const dead = await chargeFailure(turn, entry.row, verdict)
    if (dead !== 'waits') await settleAndDrop(turn, { delivered: [], dead: [dead] })
  }
  return undefined
}

/**
 * Whether the credential is accepted with another intent. Two people's messages that are refused, and none that passes, mean
 * that it is not; of one that is refused alone, another one of the lane is asked.
 */
async function compareRefused(turn: Turn, [one, ...more]: readonly Failed[]): Promise<CanaryResult> {
  if (one === undefined || more.length > 0) return 'fail'
  const { row } = one.entry
  const rows = (await turn.reader.peek()).filter(
    ({ orderingKey }) => orderingKey !== row.orderingKey && !turn.blocked.has(orderingKey),
  )
  const [other] = cutWave(turn, rows).batch
  if (!other) {
    if (isComparable(turn, row)) return 'pass'
    // Once more after the lane's backoff: others may pass in other lanes meanwhile. An intent that was charged is refused
    // for its content, as far as is known: alone it is no evidence against the credential.
    return one.hadFailedBefore && row.attempts === 0 ? 'fail' : endFailed(turn, one.verdict)
  }
  const leave = await acquireOrdinaryPermit(turn)
  if (typeof leave === 'object') return leave
  const { outcome, failures } = await sendMarked(turn, [other], leave)
  if (outcome) return outcome
  const [failure] = failures
  if (!failure) return 'pass'
  turn.breaker.history.resetBaseline(failure.entry.row.id)
  return failure.verdict.refused ? 'fail' : endFailed(turn, failure.verdict)
}

/**
 * Marks as many of the batch as may go now. Leave for each is had before: between the mark and the request
 * nothing is waited for, so that a mark that is found nearly always means a request.
 */
async function mark(turn: Turn, batch: readonly BatchEntry[]): Promise<readonly BatchEntry[]> {
  const now = batch.slice(0, 1 + (await acquireMore(turn, batch.length - 1)))
  await markSending(
    turn.db,
    turn.fence,
    now.map(({ row }) => row),
  )
  return now
}

async function settleAndDrop(turn: Turn, settlement: Settlement): Promise<void> {
  const { delivered, dead, suppressed = [] } = settlement
  await settleAndReport(turn, settlement)
  turn.reader.drop(new Set([...delivered, ...dead, ...suppressed].map(({ seq }) => seq)))
}

/** The first waiting intent of each of the next people. */
function cutWave(turn: Turn, rows: readonly QueuedIntent[]) {
  const firsts = new Map<string, QueuedIntent>()
  for (const row of rows) {
    if (firsts.size >= CONCURRENCY) break
    if (!firsts.has(row.orderingKey)) firsts.set(row.orderingKey, row)
  }
  return cutEach(turn, [...firsts.values()])
}

/** All that was read and is not to be sent. */
function setAside(turn: Turn, rows: readonly QueuedIntent[]): Settlement {
  const { dead, suppressed } = cutEach(turn, rows)
  return { delivered: [], dead, suppressed }
}

function cutEach({ destination }: Turn, rows: readonly QueuedIntent[]) {
  const limits = { ...destination.transport.limits, count: 1 }
  const cuts = rows.map((row) => cutBatch([row], limits, destination.prepare))
  return {
    batch: cuts.flatMap(({ batch }) => batch),
    dead: cuts.flatMap(({ dead }) => dead),
    suppressed: cuts.flatMap(({ suppressed }) => suppressed),
  }
}

interface WaveEnd {
  readonly outcome: LaneOutcome | undefined
  readonly failures: readonly Failed[]
}

/** A mark that was found: the relay that set it ended before it could say what became of the request. */
function isParked(row: QueuedIntent): boolean {
  return row.sending && row.onAmbiguous === 'park'
}

function foundUnderWay(row: QueuedIntent): DeadLetter {
  return ambiguous(row, 'the relay ended before the answer came')
}
