import type { WireItem } from '../../customerio/transports/transport.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { DeadLetter } from '../../store/lanes/settle.ts'
import { RequestBudget } from './request-budget.ts'

/** An intent in its wire form. */
export interface BatchEntry {
  readonly row: QueuedIntent
  readonly item: WireItem
}

export interface Cut {
  readonly batch: readonly BatchEntry[]
  /** Rows that can never be sent: the relay settles them without a request. */
  readonly dead: readonly DeadLetter[]
  /** Rows whose recipients the workspace's `allowRecipients` does not allow. */
  readonly suppressed: readonly QueuedIntent[]
  /** How many rows the cut has covered, from the first. Some of them may remain for the next cut: see `cutBatch`. */
  readonly used: number
  /** Whether some of these rows remain, because an earlier row of their key may hold them. */
  readonly skips: boolean
}

export interface CutLimits {
  readonly count: number
  /** Bytes of the items of one request, with a comma between each two. */
  readonly bytes: number
  readonly itemBytes: number
}

/** A row before any request: an item to send, or the reason why it is not sent. */
export type PreparedRow = { readonly send: WireItem } | { readonly dead: DeadLetter } | 'suppressed'

/**
 * Cuts the next request from rows in order, by count and by bytes. Pure. Every row goes into the batch, to the dead letters
 * or to the suppressed rows, or remains for the next cut. No row overtakes another of its key.
 *
 * @param mayHold Whether a dead letter of this row would hold its key. Such a row is the last of its key in a request, because
 *   Customer.io might refuse it and accept later ones of the same request. Default: no row.
 */
export function cutBatch(
  rows: readonly QueuedIntent[],
  limits: CutLimits,
  prepare: (row: QueuedIntent) => PreparedRow,
  mayHold?: (row: QueuedIntent) => boolean,
): Cut {
  const batch: BatchEntry[] = []
  const dead: DeadLetter[] = []
  const suppressed: QueuedIntent[] = []
  const budget = new RequestBudget(limits.bytes)
  const closedKeys = new Set<string>()
  let used = 0
  let skips = false
  for (const row of rows) {
    if (batch.length >= limits.count) break
    const prepared = prepare(row)
    if (closedKeys.has(row.orderingKey)) {
      if (isBarrier(prepared)) break // no later row may overtake it
      skips = true
      used++
      continue
    }
    if (mayBecomeDeadLetter(prepared) && mayHold?.(row)) closedKeys.add(row.orderingKey)
    if (prepared === 'suppressed') suppressed.push(row)
    else if ('dead' in prepared) dead.push(prepared.dead)
    else {
      const item = prepared.send
      if (item.maxBytes > limits.itemBytes && item.bytes > limits.itemBytes) {
        dead.push(tooLarge(row, item.bytes, limits.itemBytes))
      } else {
        // An intent that has failed alone before must not break a batch again.
        const alone = item.barrier || !item.batchable || row.attempts > 0
        if ((alone && batch.length > 0) || !budget.tryAdd(item)) break
        batch.push({ row, item })
        if (alone) {
          used++
          break
        }
      }
    }
    used++
  }
  return { batch, dead, suppressed, used, skips }
}

function isBarrier(prepared: PreparedRow): boolean {
  return typeof prepared === 'object' && 'send' in prepared && prepared.send.barrier
}

/** Whether a row may end as a dead letter that holds its key. One of reason `expired` never holds. */
function mayBecomeDeadLetter(prepared: PreparedRow): boolean {
  if (prepared === 'suppressed') return false
  return 'send' in prepared || prepared.dead.reason !== 'expired'
}

function tooLarge({ seq, id }: QueuedIntent, bytes: number, limit: number): DeadLetter {
  const message = `the operation is ${bytes} bytes, Customer.io takes at most ${limit}`
  return { seq, id, reason: 'too_large', message }
}
