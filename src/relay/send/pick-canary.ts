import type { WireItem } from '../../customerio/transports/transport.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { Destination } from '../destination/destinations.ts'

type Sender = Pick<Destination, 'prepare' | 'transport'>

/**
 * Picks at random an intent to send alone, ahead of other intents. It is the first waiting one of its key, so that order
 * holds. It comes before the first barrier of the lane, and has not failed alone. Undefined: there is no such intent.
 *
 * @param rows In order, none of them sent.
 * @param part The intents that failed. Keys outside of it are picked first. If it is a single intent, its key is never
 * picked.
 */
export function pickCanary(
  sender: Sender,
  rows: readonly QueuedIntent[],
  part: readonly BatchEntry[],
): BatchEntry | undefined {
  const [only, ...others] = part
  const partKeys = new Set(part.map(({ row }) => row.orderingKey))
  const excluded = only && others.length === 0 ? only.row.orderingKey : undefined
  const candidates = firstOfEachKey(sender, rows).filter(
    ({ row }) => row.attempts === 0 && row.orderingKey !== excluded,
  )
  const outside = candidates.filter(({ row }) => !partKeys.has(row.orderingKey))
  return pickAtRandom(outside) ?? pickAtRandom(candidates)
}

/** The first intent of each key, before the first barrier. If the first intent of a key cannot be sent, the key is left out. */
export function firstOfEachKey({ prepare, transport }: Sender, rows: readonly QueuedIntent[]): BatchEntry[] {
  const seen = new Set<string>()
  const firsts: BatchEntry[] = []
  for (const row of rows) {
    const prepared = prepare(row)
    const item: WireItem | undefined =
      typeof prepared === 'object' && 'send' in prepared ? prepared.send : undefined
    if (item?.barrier) break
    if (seen.has(row.orderingKey)) continue
    seen.add(row.orderingKey)
    if (item !== undefined && item.bytes <= transport.limits.itemBytes) firsts.push({ row, item })
  }
  return firsts
}

export function pickAtRandom<Value>(values: readonly Value[]): Value | undefined {
  return values[Math.floor(Math.random() * values.length)]
}
