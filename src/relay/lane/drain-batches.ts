import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import { type BatchEntry, type Cut, cutBatch } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { firstOfEachKey } from '../send/pick-canary.ts'
import { yieldProbe, pickProbe } from '../send/probe.ts'
import { BatchInProgress } from '../turn/batch-in-progress.ts'
import { sendPart } from '../send/send-part.ts'
import { sendCoalesced } from '../send/send-coalesced.ts'
import { waitingKeys, waitForMore, nextRows, endIdle, type Turn } from '../turn/turn.ts'

/** Milliseconds between reads of live intents while suspects are separated. */
const REFRESH_MS = 100
/** Batches' worth of suspects. With more, the rest of the lane waits until they are fewer. */
const MOST_SUSPECTS = 4

/** Read → cut → acquire a permit → send → settle, batch by batch. Suspects and other batches take turns. */
export async function drainBatches(turn: Turn): Promise<LaneOutcome> {
  const { reader, store } = turn
  const { suspects, blocked } = turn.keys
  let isSuspectsTurn = false
  while (!turn.stopping.aborted && (suspects.count > 0 || !blocked.isDue)) {
    if (suspects.count > 0) refresh(turn)
    const rows = await nextRows(turn)
    isSuspectsTurn = suspects.count > 0 && (!isSuspectsTurn || rows.length === 0 || isFull(turn))
    if (isSuspectsTurn) {
      const outcome = await sendSuspects(turn)
      if (outcome) return outcome
      continue
    }
    if (rows.length === 0) {
      if (await waitForMore(turn)) continue
      return endIdle(turn.keys)
    }
    if (suspectCharged(turn, rows)) continue
    const cut = cutNext(turn, rows)
    if (cut.batch.length === 0) {
      // Settled without a permit: rows that are not sent must not use the rate limit.
      await store.settle({ delivered: [], dead: cut.dead, suppressed: cut.suppressed })
      reader.drop(new Set(rows.slice(0, cut.used).map(({ seq }) => seq)))
      continue
    }
    // A merge or a deletion comes after everything before it, including blocked and suspected intents.
    if (cut.batch[0]?.item.barrier) {
      if (suspects.count > 0) continue
      if (blocked.any) return { kind: 'handed_back', waitMs: blocked.waitMs }
    }
    const outcome = await sendCut(turn, rows, cut)
    if (outcome) return outcome
  }
  return { kind: 'handed_back' }
}

/** Sends a batch, or a single intent as the probe if the breaker is not closed. Undefined: the turn goes on. */
async function sendCut(
  turn: Turn,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<LaneOutcome | undefined> {
  const { gate } = turn
  const isClosed = gate.breaker.state === 'closed'
  const probe = isClosed ? undefined : chooseProbe(turn, rows, cut)
  const yielded = isClosed ? undefined : yieldProbe(gate.history, probe)
  if (yielded) return yielded
  const coalesced = probe ? undefined : await sendCoalesced(turn, rows, cut)
  if (coalesced === 'sent') return undefined
  const permit = coalesced ?? (await gate.acquirePermit())
  if (typeof permit === 'object') return permit
  if (permit !== 'probe') return sendNext(turn, permit, rows, cut)
  return probe ? sendProbe(turn, permit, rows, probe) : sendNext(turn, permit, rows, cutNext(turn, rows, 1))
}

/** Makes room for intents that came meanwhile, for keys that have waited long enough, and for those behind settled suspects. */
function refresh({ reader, keys }: Turn): void {
  if (performance.now() - reader.readAt < REFRESH_MS) return
  keys.blocked.release()
  reader.refresh(waitingKeys(keys))
}

function isFull({ batchSize, keys }: Turn): boolean {
  return keys.suspects.count >= MOST_SUSPECTS * batchSize
}

/** Sends the first part of the suspects. After the last part, the lane reads again what follows them. */
async function sendSuspects(turn: Turn): Promise<LaneOutcome | undefined> {
  const { reader, keys } = turn
  const part = keys.suspects.next()
  if (part) {
    const permit = await turn.gate.acquireOrdinaryPermit()
    if (typeof permit === 'object') return permit
    const outcome = await turn.inFlight.track(() => sendPart(turn, part, permit))
    reader.drop(part.progress.settled)
    if (outcome) return outcome
  }
  if (keys.suspects.count === 0) reader.refresh(waitingKeys(keys))
  return undefined
}

/**
 * Intents that have failed alone before and are due again become suspects: the rest of the lane does not wait for them. True:
 * there are new ones.
 */
function suspectCharged(turn: Turn, rows: readonly QueuedIntent[]): boolean {
  if (turn.gate.breaker.state !== 'closed' || !rows.some(({ attempts }) => attempts > 0)) return false
  const { suspects } = turn.keys
  const seen = new Set<string>()
  const before = suspects.count
  for (const row of rows) {
    if (!seen.has(row.orderingKey) && row.attempts > 0) {
      const cut = cutNext(turn, [row])
      const progress = new BatchInProgress(turn, [row], cut)
      if (cut.batch.length > 0) suspects.add({ progress, entries: cut.batch, isolated: true })
    }
    seen.add(row.orderingKey)
  }
  return suspects.count > before
}

function cutNext({ gate, batchSize }: Turn, rows: readonly QueuedIntent[], most = batchSize): Cut {
  const { transport, prepare } = gate.destination
  const { limits } = transport
  return cutBatch(rows, { ...limits, count: Math.min(most, limits.count) }, prepare)
}

/** Sends one batch, settles it, and reads ahead meanwhile. Undefined: the turn goes on. */
async function sendNext(
  turn: Turn,
  permit: Permit,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<LaneOutcome | undefined> {
  const { reader, inFlight } = turn
  const last = rows[cut.used - 1]
  const underWay = last ? (await reader.peek()).indexOf(last) + 1 : 0
  const progress = new BatchInProgress(turn, rows, cut)
  // Waits for both, even if one fails: the lane must not be released with a request in flight.
  const [sent, ahead] = await inFlight.track(() =>
    Promise.allSettled([
      sendPart(turn, { progress, entries: cut.batch, isolated: false }, permit),
      inFlight.areFew ? reader.readAhead(underWay) : undefined,
    ]),
  )
  if (sent.status === 'rejected') throw sent.reason
  if (ahead.status === 'rejected') throw ahead.reason
  reader.drop(progress.settled)
  return sent.value
}

/** A probe is one intent: in an outage a batch of a thousand would fail as a whole. */
function chooseProbe(turn: Turn, rows: readonly QueuedIntent[], { batch }: Cut): BatchEntry | undefined {
  const { destination, history } = turn.gate
  return pickProbe(history, firstOfEachKey(destination, rows)) ?? batch[0]
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
