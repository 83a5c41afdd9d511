import type { TrackV2Operation } from '../customerio/operation.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { DeadLetter } from '../store/settle.ts'

/** An intent in its wire form. */
export interface BatchEntry {
  readonly seq: string
  readonly operation: TrackV2Operation
  /** UTF-8 bytes of the operation's JSON. */
  readonly bytes: number
}

export interface Cut {
  readonly batch: readonly BatchEntry[]
  /** Rows that can never be sent: they are settled without a request. */
  readonly dead: readonly DeadLetter[]
  /** How many of the rows were used up, from the first. */
  readonly used: number
}

export interface CutLimits {
  readonly count: number
  /** Bytes of the whole request's body. */
  readonly bytes: number
  /** Bytes of one operation. */
  readonly operationBytes: number
}

/** Published: 500 KB a batch and 32 KB an operation. Stay below, whichever kilobyte is meant. */
export const TRACK_LIMITS = { bytes: 480_000, operationBytes: 32_000 } as const

const ENVELOPE = Buffer.byteLength('{"batch":[]}')

/** These race with what surrounds them on Customer.io's side: they travel alone, after all before, before all after. */
const BARRIERS = new Set(['mergeCustomers', 'destroy', 'suppress', 'unsuppress'])

/**
 * Cuts the next request from rows in order, by count and by bytes. Pure. Every row is either in the batch, among
 * the dead, or left for the next cut, and no row is overtaken.
 *
 * @param toOperation throws for a row that cannot be mapped.
 */
export function cutBatch(
  rows: readonly QueuedIntent[],
  limits: CutLimits,
  toOperation: (row: QueuedIntent) => TrackV2Operation,
): Cut {
  const batch: BatchEntry[] = []
  const dead: DeadLetter[] = []
  let bytes = ENVELOPE
  let used = 0
  for (const row of rows) {
    if (batch.length >= limits.count) break
    if (row.expired) {
      dead.push({ seq: row.seq, reason: 'expired', message: 'expires_at had passed before it could be sent' })
      used++
      continue
    }
    const prepared = prepare(row, limits, toOperation)
    if ('reason' in prepared) {
      dead.push(prepared)
      used++
      continue
    }
    const barrier = isBarrier(row, prepared.operation)
    const size = prepared.bytes + (batch.length > 0 ? 1 : 0)
    if (batch.length > 0 && (barrier || bytes + size > limits.bytes)) break
    batch.push(prepared)
    bytes += size
    used++
    if (barrier) break
  }
  return { batch, dead, used }
}

function prepare(
  row: QueuedIntent,
  limits: CutLimits,
  toOperation: (row: QueuedIntent) => TrackV2Operation,
): BatchEntry | DeadLetter {
  let operation: TrackV2Operation
  try {
    operation = toOperation(row)
  } catch (error) {
    return {
      seq: row.seq,
      reason: 'invalid',
      message: error instanceof Error ? error.message : String(error),
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(operation))
  if (bytes > limits.operationBytes) {
    const message = `the operation is ${bytes} bytes, Customer.io takes at most ${limits.operationBytes}`
    return { seq: row.seq, reason: 'too_large', message }
  }
  return { seq: row.seq, operation, bytes }
}

function isBarrier(row: QueuedIntent, operation: TrackV2Operation): boolean {
  return (
    BARRIERS.has(row.operation) ||
    (row.operation === 'entity' && ['merge', 'delete', 'suppress', 'unsuppress'].includes(operation.action))
  )
}
