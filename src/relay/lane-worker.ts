import type { Answer, RefusedOperation } from '../customerio/answer.ts'
import type { TrackV2Operation } from '../customerio/operation.ts'
import type { Database } from '../store/database.ts'
import type { Fence, Lane } from '../store/lane.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import { FencedError, type Settlement, settle } from '../store/settle.ts'
import { releaseLane, takeLane } from '../store/take-lane.ts'
import { type BatchEntry, cutBatch, TRACK_LIMITS } from './batch.ts'
import type { DestinationBreaker, Permit } from './breaker.ts'
import type { Horizon } from './horizon.ts'
import { LaneReader } from './lane-reader.ts'

/** How a lane's turn ended. */
export type LaneOutcome =
  /** Nothing more to send. */
  | { readonly kind: 'drained' }
  /** The breaker, a hold or a stop ended the turn: the dispatcher starts the lane again when it may. */
  | { readonly kind: 'handed_back' }
  /** The destination failed and its breaker is still closed: the lane waits with pg-boss' backoff. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Another relay has taken the lane. */
  | { readonly kind: 'fenced' }

export interface LaneContext {
  readonly db: Database
  readonly relayId: string
  readonly batchSize: number
  readonly breaker: DestinationBreaker
  readonly horizon: Horizon
  readonly stopping: AbortSignal
  readonly toOperation: (row: QueuedIntent) => TrackV2Operation
  readonly send: (operations: readonly TrackV2Operation[]) => Promise<Answer>
  readonly onSettled: (settlement: Settlement) => void
}

/** Drains a lane: take it, then read → cut → send → settle, batch by batch, until it is empty or must wait. */
export async function workLane(context: LaneContext, lane: Lane): Promise<LaneOutcome> {
  const fence = await takeLane(context.db, lane, context.relayId)
  try {
    return await drain(context, fence)
  } catch (error) {
    if (error instanceof FencedError) return { kind: 'fenced' }
    throw error
  } finally {
    await releaseLane(context.db, fence)
  }
}

async function drain(context: LaneContext, fence: Fence): Promise<LaneOutcome> {
  const reader = new LaneReader(context.db, fence, context.batchSize, context.horizon)
  while (!context.stopping.aborted) {
    const rows = await reader.peek()
    if (rows.length === 0) return { kind: 'drained' }
    const permit = await context.breaker.enter()
    if (permit === undefined) return { kind: 'handed_back' }
    const outcome = await sendNext(context, fence, reader, rows, permit)
    if (outcome) return outcome
  }
  return { kind: 'handed_back' }
}

/** Sends one batch from the rows, and settles it. Undefined: go on. */
async function sendNext(
  context: LaneContext,
  fence: Fence,
  reader: LaneReader,
  rows: readonly QueuedIntent[],
  permit: Permit,
): Promise<LaneOutcome | undefined> {
  // A probe is one small request: an outage is no time for a batch of a thousand.
  const limits = { ...TRACK_LIMITS, count: permit === 'probe' ? 1 : context.batchSize }
  const { batch, dead, used } = cutBatch(rows, limits, context.toOperation)
  if (batch.length === 0) {
    context.breaker.giveBack(permit)
    await settleAndTell(context, fence, { delivered: [], dead })
    reader.used(used)
    return undefined
  }
  // Both are waited for, whatever happens to either: the lane is not let go of with a request under way.
  const [sent, ahead] = await Promise.allSettled([
    sendSplitting(context, fence, batch, dead, permit),
    reader.readAhead(used),
  ])
  if (sent.status === 'rejected') throw sent.reason
  if (ahead.status === 'rejected') throw ahead.reason
  if (sent.value === undefined) reader.used(used)
  return sent.value
}

/**
 * Sends a batch; where its content or its size is refused, halves it until the culprit stands alone. The first
 * half is settled before the second is sent, so order holds also then.
 */
async function sendSplitting(
  context: LaneContext,
  fence: Fence,
  batch: readonly BatchEntry[],
  dead: Settlement['dead'],
  permit: Permit,
): Promise<LaneOutcome | undefined> {
  let unsettled = dead
  let leave: Permit | undefined = permit
  const parts = [batch]
  for (let part = parts.pop(); part; part = parts.pop()) {
    if (leave === undefined && context.stopping.aborted) return { kind: 'handed_back' }
    leave ??= await context.breaker.enter()
    if (leave === undefined) return { kind: 'handed_back' }
    const operations = part.map((entry) => entry.operation)
    const answer = await context.breaker.run(leave, () => context.send(operations), context.stopping)
    leave = undefined
    const verdict = judge(answer, part)
    if (verdict.kind === 'wait') return { kind: 'handed_back' }
    if (verdict.kind === 'fail') {
      return context.breaker.state === 'closed'
        ? { kind: 'failed', message: verdict.message }
        : { kind: 'handed_back' }
    }
    if (verdict.kind === 'split') {
      const middle = Math.ceil(part.length / 2)
      parts.push(part.slice(middle), part.slice(0, middle))
      continue
    }
    await settleAndTell(context, fence, {
      delivered: verdict.delivered,
      dead: [...unsettled, ...verdict.dead],
    })
    unsettled = []
  }
  return undefined
}

type Verdict =
  | ({ readonly kind: 'settle' } & Settlement)
  | { readonly kind: 'split' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'fail'; readonly message: string }

/** What an answer means for the intents that were sent. Pure. */
export function judge(answer: Answer | undefined, part: readonly BatchEntry[]): Verdict {
  switch (answer?.kind) {
    case undefined:
    case 'credential':
    case 'rate_limited':
      return { kind: 'wait' }
    case 'unavailable':
      return { kind: 'fail', message: answer.message }
    case 'accepted':
      return { kind: 'settle', ...settleItems(part, answer.refused) }
    case 'rejected':
    case 'too_large': {
      const [only, ...others] = part
      if (only === undefined || others.length > 0) return { kind: 'split' }
      const reason = answer.kind
      const field = 'field' in answer ? answer.field : undefined
      return {
        kind: 'settle',
        delivered: [],
        dead: [{ seq: only.seq, reason, status: answer.status, field, message: answer.message }],
      }
    }
  }
}

/** Several errors may name one operation: the first is kept. An index that is not in the batch names nothing. */
function settleItems(part: readonly BatchEntry[], refused: readonly RefusedOperation[]): Settlement {
  const byIndex = new Map([...refused].reverse().map((error) => [error.index, error]))
  const delivered: string[] = []
  const dead: Settlement['dead'][number][] = []
  for (const [index, { seq }] of part.entries()) {
    const error = byIndex.get(index)
    if (error) {
      const message = [error.reason, error.message].filter(Boolean).join(': ')
      dead.push({ seq, reason: 'rejected', status: 207, field: error.field, message })
    } else {
      delivered.push(seq)
    }
  }
  return { delivered, dead }
}

async function settleAndTell(context: LaneContext, fence: Fence, settlement: Settlement): Promise<void> {
  await settle(context.db, fence, settlement)
  context.onSettled(settlement)
}
