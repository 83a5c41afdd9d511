import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import { type BatchEntry, type Cut, cutBatch } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { firstOfEachKey } from '../send/pick-canary.ts'
import { yieldProbe, pickProbe } from '../send/probe.ts'
import { BatchInProgress } from '../send/batch-in-progress.ts'
import { sendPart } from '../send/send-part.ts'
import { sendCoalesced } from '../send/send-coalesced.ts'
import { acquireOrdinaryPermit } from '../send/canary.ts'
import {
  acquirePermit,
  skippedKeys,
  waitForMore,
  nextRows,
  endIdle,
  settleAndReport,
  type Turn,
} from '../turn/turn.ts'

/** Live intents that have come while suspects are separated are read this often. */
const REFRESH_MS = 100
/** Batches' worth of suspects; with more, the rest of the lane waits until they are fewer. */
const MOST_SUSPECTS = 4

/** read → cut → ask leave → send → settle, batch by batch. */
export async function drainBatches(turn: Turn): Promise<LaneOutcome> {
  const { reader, suspects, blocked } = turn
  let isSuspectsTurn = false
  while (!turn.stopping.aborted && (suspects.count > 0 || !blocked.isDue)) {
    if (suspects.count > 0) readAlso(turn)
    const rows = await nextRows(turn)
    isSuspectsTurn = suspects.count > 0 && (!isSuspectsTurn || rows.length === 0 || isFull(turn))
    if (isSuspectsTurn) {
      const outcome = await sendSuspects(turn)
      if (outcome) return outcome
      continue
    }
    if (rows.length === 0) {
      if (await waitForMore(turn)) continue
      return endIdle(turn)
    }
    if (suspect(turn, rows)) continue
    const cut = cutNext(turn, rows)
    if (cut.batch.length === 0) {
      // What is not to be sent takes no one's turn under the limit.
      await settleAndReport(turn, { delivered: [], dead: cut.dead, suppressed: cut.suppressed })
      reader.drop(new Set(rows.slice(0, cut.used).map(({ seq }) => seq)))
      continue
    }
    // A merge or a deletion comes after everything before it, also after what waits or is suspected.
    if (cut.batch[0]?.item.barrier) {
      if (suspects.count > 0) continue
      if (blocked.any) return { kind: 'handed_back', waitMs: blocked.waitMs }
    }
    const probe = turn.breaker.state === 'closed' ? undefined : chooseProbe(turn, rows, cut)
    const left = turn.breaker.state === 'closed' ? undefined : yieldProbe(turn, probe)
    if (left) return left
    const together = probe ? undefined : await sendCoalesced(turn, rows, cut)
    if (together === 'sent') continue
    const leave = together ?? (await acquirePermit(turn))
    if (typeof leave === 'object') return leave
    const outcome =
      leave === 'probe' && probe
        ? await sendProbe(turn, leave, rows, probe)
        : await sendNext(turn, leave, rows, leave === 'probe' ? cutNext(turn, rows, 1) : cut)
    if (outcome) return outcome
  }
  return { kind: 'handed_back' }
}

/** What has come meanwhile, what has waited long enough, and what follows suspects that are settled. */
function readAlso(turn: Turn): void {
  if (performance.now() - turn.reader.readAt < REFRESH_MS) return
  turn.blocked.release()
  turn.reader.refresh(skippedKeys(turn))
}

function isFull({ batchSize, suspects }: Turn): boolean {
  return suspects.count >= MOST_SUSPECTS * batchSize
}

/** One request of suspects; what follows the last of them in the lane is read again. */
async function sendSuspects(turn: Turn): Promise<LaneOutcome | undefined> {
  const part = turn.suspects.next()
  if (part) {
    const leave = await acquireOrdinaryPermit(turn)
    if (typeof leave === 'object') return leave
    const outcome = await turn.inFlight.track(() => sendPart(turn, part, leave))
    turn.reader.drop(part.progress.settled)
    if (outcome) return outcome
  }
  if (turn.suspects.count === 0) turn.reader.refresh(skippedKeys(turn))
  return undefined
}

/** What has failed alone before is due again: it keeps the rest of the lane waiting no more than other suspects. */
function suspect(turn: Turn, rows: readonly QueuedIntent[]): boolean {
  if (turn.breaker.state !== 'closed' || !rows.some(({ attempts }) => attempts > 0)) return false
  const seen = new Set<string>()
  const before = turn.suspects.count
  for (const row of rows) {
    if (!seen.has(row.orderingKey) && row.attempts > 0) {
      const cut = cutNext(turn, [row])
      const progress = new BatchInProgress(turn, [row], cut)
      if (cut.batch.length > 0) turn.suspects.add({ progress, entries: cut.batch, isolated: true })
    }
    seen.add(row.orderingKey)
  }
  return turn.suspects.count > before
}

function cutNext({ destination, batchSize }: Turn, rows: readonly QueuedIntent[], most = batchSize): Cut {
  const { limits } = destination.transport
  return cutBatch(rows, { ...limits, count: Math.min(most, limits.count) }, destination.prepare)
}

/** Sends one batch, and settles it. Undefined: go on. */
async function sendNext(
  turn: Turn,
  permit: Permit,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<LaneOutcome | undefined> {
  const { reader } = turn
  const last = rows[cut.used - 1]
  const underWay = last ? (await reader.peek()).indexOf(last) + 1 : 0
  const progress = new BatchInProgress(turn, rows, cut)
  // Both are waited for, whatever happens to either: the lane is not let go of with a request under way.
  const [sent, ahead] = await turn.inFlight.track(() =>
    Promise.allSettled([
      sendPart(turn, { progress, entries: cut.batch, isolated: false }, permit),
      turn.inFlight.areFew ? reader.readAhead(underWay) : undefined,
    ]),
  )
  if (sent.status === 'rejected') throw sent.reason
  if (ahead.status === 'rejected') throw ahead.reason
  reader.drop(progress.settled)
  return sent.value
}

/** A probe is one small request: an outage is no time for a batch of a thousand. */
function chooseProbe(turn: Turn, rows: readonly QueuedIntent[], { batch }: Cut): BatchEntry | undefined {
  return pickProbe(turn, firstOfEachKey(turn.destination, rows)) ?? batch[0]
}

async function sendProbe(
  turn: Turn,
  permit: Permit,
  rows: readonly QueuedIntent[],
  probe: BatchEntry,
): Promise<LaneOutcome | undefined> {
  const progress = new BatchInProgress(turn, rows, { batch: [probe], dead: [], suppressed: [], used: 0 })
  const outcome = await sendPart(turn, { progress, entries: [probe], isolated: false }, permit)
  turn.reader.drop(progress.settled)
  return outcome
}
