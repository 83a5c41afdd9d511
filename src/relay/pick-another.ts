import type { WireItem } from '../customerio/transport.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { BatchEntry } from './batch.ts'
import type { Destination } from './destinations.ts'

/**
 * Picks an intent to try alone, out of turn and at random: the first of its key that waits, so that nobody's
 * order changes, before anything that travels alone, and none that has failed alone. Undefined where there is none.
 *
 * @param rows In order, none of them sent.
 * @param part What has failed: keys outside of it are picked first, and the key of a single one never.
 */
export function pickAnother(
  { prepare, transport }: Pick<Destination, 'prepare' | 'transport'>,
  rows: readonly QueuedIntent[],
  part: readonly BatchEntry[],
): BatchEntry | undefined {
  const [only, ...others] = part
  const partKeys = new Set(part.map(({ row }) => row.orderingKey))
  const seen = new Set<string>(only && others.length === 0 ? [only.row.orderingKey] : [])
  const inside: BatchEntry[] = []
  const outside: BatchEntry[] = []
  for (const row of rows) {
    const prepared = prepare(row)
    const item: WireItem | undefined =
      typeof prepared === 'object' && 'send' in prepared ? prepared.send : undefined
    if (item?.barrier) break
    if (seen.has(row.orderingKey)) continue
    seen.add(row.orderingKey)
    if (item === undefined || row.attempts > 0 || item.bytes > transport.limits.itemBytes) continue
    const candidates = partKeys.has(row.orderingKey) ? inside : outside
    candidates.push({ row, item })
  }
  const candidates = outside.length > 0 ? outside : inside
  return candidates[Math.floor(Math.random() * candidates.length)]
}
