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
  /** How many rows the cut has covered, from the first. */
  readonly used: number
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
 * or to the suppressed rows, or remains for the next cut. No row overtakes another.
 */
export function cutBatch(
  rows: readonly QueuedIntent[],
  limits: CutLimits,
  prepare: (row: QueuedIntent) => PreparedRow,
): Cut {
  const batch: BatchEntry[] = []
  const dead: DeadLetter[] = []
  const suppressed: QueuedIntent[] = []
  const budget = new RequestBudget(limits.bytes)
  let used = 0
  for (const row of rows) {
    if (batch.length >= limits.count) break
    const prepared = prepare(row)
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
  return { batch, dead, suppressed, used }
}

function tooLarge({ seq, id }: QueuedIntent, bytes: number, limit: number): DeadLetter {
  const message = `the operation is ${bytes} bytes, Customer.io takes at most ${limit}`
  return { seq, id, reason: 'too_large', message }
}
