import { markSending, unmarkSending } from '../store/mark-sending.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { DeadLetter, Settlement } from '../store/settle.ts'
import { type BatchEntry, cutBatch } from './batch.ts'
import type { Permit } from './breaker.ts'
import { describeFailure } from './describe-failure.ts'
import { charge, mayBeTheirs } from './exhaust.ts'
import { judge, type Verdict } from './judge.ts'
import type { LaneOutcome } from './lane-outcome.ts'
import {
  askLeave,
  askMore,
  failed,
  moreComes,
  nextRows,
  nothingReady,
  settleAndTell,
  type Turn,
} from './turn.ts'

/** With nobody in the lane to probe with: others may come. */
const NOBODY_MS = 1_000
/** People of one lane to whom messages are sent at a time. */
const CONCURRENCY = 8

/**
 * What must not be sent twice: mark → send → settle, one request an intent. The mark is committed before the
 * request, so that whoever finds it later knows that a request may have gone out. In order per person, several
 * people at a time: a wave is the first waiting intent of each of the next people.
 */
export async function drainOnce(turn: Turn): Promise<LaneOutcome> {
  const { reader, waiting } = turn
  for (let wave = 0; !turn.stopping.aborted && !waiting.isDue; wave++) {
    if ((await reader.peek()).length === 0) {
      if (!(await moreComes(turn))) return nothingReady(turn)
      wave = -1 // as in a new turn
      continue
    }
    if (wave > 0) await reader.readAhead(0) // the next people, while some of the last are left
    const rows = await nextRows(turn)
    if (rows.length === 0) return nothingReady(turn)
    const parked = rows.filter(isParked)
    if (parked.length > 0) {
      await settleAndTell(turn, { delivered: [], dead: parked.map(foundUnderWay) })
      reader.drop(new Set(parked.map(({ id }) => id)))
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
  if (turn.breaker.state !== 'closed' && wave.probe.length === 0) {
    return { kind: 'handed_back', waitMs: NOBODY_MS }
  }
  const leave = await askLeave(turn)
  if (typeof leave === 'object') return leave
  const { comparison } = turn.breaker
  const passedBefore = comparison.passed
  const batch = await mark(turn, leave === 'probe' ? wave.probe : wave.batch).catch((error: unknown) => {
    turn.breaker.giveBack(leave)
    throw error
  })
  // All are waited for, whatever happens to any: the lane is not let go of with a request under way.
  const ends = await Promise.allSettled(batch.map((entry) => sendOne(turn, entry, leave)))
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
  const outcome = results.find(({ outcome }) => outcome)?.outcome
  if (outcome) return outcome
  return endFailures(turn, results, comparison.passed > passedBefore)
}

/** Who failed while others passed is charged an attempt and waits; the rest of the lane goes on. */
async function endFailures(
  turn: Turn,
  results: readonly Sent[],
  othersPassed: boolean,
): Promise<LaneOutcome | undefined> {
  for (const { failure } of results) {
    if (!failure) continue
    const { row } = failure.entry
    if (!(othersPassed || isComparable(turn, row)) || !mayBeTheirs(turn, failure.verdict)) {
      for (const { failure } of results) if (failure) turn.breaker.comparison.beginAnew(failure.entry.row.id)
      return failed(turn, failure.verdict)
    }
    const dead = await charge(turn, row, failure.verdict)
    if (dead !== 'waits') await settleAndDrop(turn, { delivered: [], dead: [dead] })
  }
  return undefined
}

/** Its failure is compared with what has passed since it failed before, and does not count against the destination. */
function isComparable({ breaker }: Turn, { id, attempts }: QueuedIntent): boolean {
  return attempts > 0 || breaker.comparison.hasPassedSince(id)
}

/**
 * Marks as many of the batch as may go now. Leave for each is had before: between the mark and the request
 * nothing is waited for, so that a mark that is found nearly always means a request.
 */
async function mark(turn: Turn, batch: readonly BatchEntry[]): Promise<readonly BatchEntry[]> {
  const now = batch.slice(0, 1 + (await askMore(turn, batch.length - 1)))
  await markSending(
    turn.db,
    turn.fence,
    now.map(({ row }) => row),
  )
  return now
}

async function settleAndDrop(turn: Turn, settlement: Settlement): Promise<void> {
  const { delivered, dead, suppressed = [] } = settlement
  await settleAndTell(turn, settlement)
  turn.reader.drop(new Set([...delivered, ...dead, ...suppressed].map(({ id }) => id)))
}

/** The first waiting intent of each of the next people, and of one of them who has not failed alone. */
function cutWave(turn: Turn, rows: readonly QueuedIntent[]) {
  const firsts = new Map<string, QueuedIntent>()
  for (const row of rows) {
    if (firsts.size >= CONCURRENCY) break
    if (!firsts.has(row.orderingKey)) firsts.set(row.orderingKey, row)
  }
  const cut = cutEach(turn, [...firsts.values()])
  const unsuspected = cut.batch.filter(({ row }) => row.attempts === 0)
  const at = Math.floor(Math.random() * unsuspected.length)
  return { ...cut, probe: unsuspected.slice(at, at + 1) }
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

interface Sent {
  readonly settlement?: Settlement
  /** Its request is known to have had no effect: its mark goes. */
  readonly unsent?: QueuedIntent
  /** The request failed, and the intent is still in the queue. */
  readonly failure?: { readonly entry: BatchEntry; readonly verdict: Extract<Verdict, { kind: 'fail' }> }
  readonly outcome?: LaneOutcome
}

async function sendOne(turn: Turn, entry: BatchEntry, permit: Permit): Promise<Sent> {
  const { row } = entry
  const answer = await turn.breaker.run(permit, () => turn.destination.transport.send([entry.item]), {
    retries: 'unless unknown',
    stopping: turn.stopping,
    counts: (failure) => !(mayBeTheirs(turn, failure) && isComparable(turn, entry.row)),
  })
  const verdict = judge(answer, [entry])
  switch (verdict.kind) {
    case 'settle':
      return { settlement: verdict }
    case 'wait':
    case 'split':
      return { unsent: row, outcome: { kind: 'handed_back' } }
    case 'fail': {
      const failure = { entry, verdict }
      if (verdict.applied === 'no') return { unsent: row, failure }
      if (row.onAmbiguous === 'resend') return { failure } // the mark stays: it says that one may be out already
      return { settlement: { delivered: [], dead: [ambiguous(row, describeFailure(verdict))] } }
    }
  }
}

/** A mark that was found: the relay that set it ended before it could say what became of the request. */
function isParked(row: QueuedIntent): boolean {
  return row.sending && row.onAmbiguous === 'park'
}

function foundUnderWay(row: QueuedIntent): DeadLetter {
  return ambiguous(row, 'the relay ended before the answer came')
}

function ambiguous({ seq, id }: QueuedIntent, known: string): DeadLetter {
  const message = `it may have been sent, Customer.io cannot tell a second one: ${known}`
  return { seq, id, reason: 'ambiguous', message }
}
