import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { type Cut, cutBatch } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import { GO_ON, type LaneOutcome, type NextStep } from '../lane-outcome.ts'
import { firstOfEachKey } from '../send/pick-canary.ts'
import { NOTHING_TO_PROBE, pickProbe, PROBE_YIELDED, yieldsProbe } from '../send/probe.ts'
import { BatchInProgress } from '../turn/batch-in-progress.ts'
import { sendPart } from '../send/send-part.ts'
import { sendCoalesced } from '../send/send-coalesced.ts'
import { waitingKeys, waitForMore, nextRows, outcomeWithoutWork, type Turn } from '../turn/turn.ts'

/** Milliseconds between two reads of new intents while suspects are separated. */
const REFRESH_MS = 100
/** Limit of suspects, in batches. While there are this many or more, the rest of the lane waits. */
const MOST_SUSPECTS = 4

/** The two kinds of intents that a lane sends: the suspects in halves, all others in batches. */
type Side = 'suspects' | 'others'

/** Read → cut → acquire a permit → send → settle, batch by batch. Parts of suspects and other batches alternate. */
export async function drainBatches(turn: Turn): Promise<LaneOutcome> {
  const { reader, writer } = turn
  const { suspects, blocked } = turn.keys
  let side: Side = 'others'
  // A blocked key that is due ends the turn: the next turn reads from the watermark, and so begins with that key. While there
  // are suspects, which only this turn knows, `refresh` releases the key instead.
  while (!turn.stopping.aborted && (suspects.count > 0 || !blocked.isDue)) {
    if (suspects.count > 0) refresh(turn)
    const rows = await nextRows(turn)
    side = nextSide(side, { suspects: suspects.count, others: rows.length }, turn.batchSize)
    if (side === 'suspects') {
      const step = await sendSuspects(turn)
      if (step.kind !== 'go_on') return step
      continue
    }
    if (rows.length === 0) {
      if (await waitForMore(turn)) continue
      return outcomeWithoutWork(turn.keys)
    }
    if (suspectCharged(turn, rows)) continue
    const cut = cutNext(turn, rows)
    if (cut.batch.length === 0) {
      // Settled without a permit: rows that are not sent must not use the rate limit.
      await writer.settle({ delivered: [], dead: cut.dead, suppressed: cut.suppressed })
      reader.drop(new Set([...cut.dead, ...cut.suppressed].map(({ seq }) => seq)))
      continue
    }
    // A barrier is sent after all earlier intents of its lane, including blocked and suspected ones. It does not wait for held
    // ones: those wait for an operator, and the lane must go on.
    if (cut.batch[0]?.item.barrier) {
      if (suspects.count > 0) continue // `nextSide` chooses the suspects now
      if (blocked.any) return { kind: 'handed_back', waitMs: blocked.waitMs }
    }
    const isClosed = turn.gate.breaker.state === 'closed'
    const step = await (isClosed ? sendWhileClosed(turn, rows, cut) : sendAsProbe(turn, rows, cut))
    if (step.kind !== 'go_on') return step
    if (cut.skips) await reader.readOn()
  }
  return { kind: 'handed_back' }
}

/**
 * Which side sends next. While both have intents, they alternate. With too many suspects, the others wait. Pure.
 *
 * @param last What the previous call returned.
 * @param intents How many intents each side could send.
 */
function nextSide(last: Side, intents: { readonly [side in Side]: number }, batchSize: number): Side {
  if (intents.suspects === 0) return 'others'
  const mustShrink = intents.suspects >= MOST_SUSPECTS * batchSize
  return last === 'others' || intents.others === 0 || mustShrink ? 'suspects' : 'others'
}

/** Sends a batch: together with batches of other lanes if it may share a request, else in a request of its own. */
async function sendWhileClosed(turn: Turn, rows: readonly QueuedIntent[], cut: Cut): Promise<NextStep> {
  const shared = await sendCoalesced(turn, rows, cut)
  switch (shared.kind) {
    case 'settled':
      return GO_ON
    case 'send_alone':
      return sendNext(turn, shared.permit, rows, cut)
    case 'not_sent':
      // The shared request may have lasted as long as a request may. A relay that stops begins no other.
      if (turn.stopping.aborted) return { kind: 'handed_back' }
      break
    default:
      return shared
  }
  const permit = await turn.gate.acquirePermit()
  if (typeof permit === 'object') return permit
  // While the batch waited for a shared request, the breaker may have opened and its probe may have fallen due. A probe is one
  // intent, so the batch is cut again.
  return sendNext(turn, permit, rows, permit === 'probe' ? cutNext(turn, rows, 1) : cut)
}

/** Sends a single intent as the probe of a breaker that is not closed: a batch of a thousand would fail as a whole. */
async function sendAsProbe(turn: Turn, rows: readonly QueuedIntent[], cut: Cut): Promise<NextStep> {
  const { gate, reader } = turn
  const probe = pickProbe(gate.history, firstOfEachKey(gate.destination, rows)) ?? cut.batch[0]
  if (!probe) return NOTHING_TO_PROBE
  if (yieldsProbe(gate.history, probe)) return PROBE_YIELDED
  const permit = await gate.acquirePermit()
  if (typeof permit === 'object') return permit
  const progress = new BatchInProgress(turn, rows, { batch: [probe], dead: [], suppressed: [] })
  const step = await sendPart(turn, { progress, entries: [probe], isolated: false }, permit)
  reader.drop(progress.settled)
  return step
}

/** Lets the next read find intents that came meanwhile, of keys that have waited long enough, or behind settled suspects. */
function refresh({ reader, keys }: Turn): void {
  if (performance.now() - reader.readAt < REFRESH_MS) return
  keys.blocked.release()
  reader.refresh(waitingKeys(keys))
}

/** Sends the first part of the suspects. After the last part, the lane reads the intents behind them again. */
async function sendSuspects(turn: Turn): Promise<NextStep> {
  const { reader, keys } = turn
  const part = keys.suspects.next()
  if (part) {
    const permit = await turn.gate.acquireOrdinaryPermit()
    if (typeof permit === 'object') return permit
    const step = await turn.inFlight.track(() => sendPart(turn, part, permit))
    reader.drop(part.progress.settled)
    if (step.kind !== 'go_on') return step
  }
  if (keys.suspects.count === 0) reader.refresh(waitingKeys(keys))
  return GO_ON
}

/**
 * Makes suspects of intents that have failed alone before and are due again: the rest of the lane does not wait for them.
 *
 * @returns whether there are new suspects.
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
  const { transport, prepare, holding } = gate.destination
  const { limits } = transport
  return cutBatch(rows, { ...limits, count: Math.min(most, limits.count) }, prepare, holding?.mayHold)
}

/** Sends one batch, settles it, and reads ahead meanwhile. */
async function sendNext(
  turn: Turn,
  permit: Permit,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<NextStep> {
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
