import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { type Cut, cutBatch } from './cut-batch.ts'
import type { Destination } from './destinations.ts'

export type Wave = Pick<Cut, 'batch' | 'dead' | 'suppressed'>

/** Cuts the first intent of each of the next ordering keys, each for a request of its own. Pure. */
export function cutWave(destination: Destination, rows: readonly QueuedIntent[], maxKeys: number): Wave {
  const firsts = new Map<string, QueuedIntent>()
  for (const row of rows) {
    if (firsts.size >= maxKeys) break
    if (!firsts.has(row.orderingKey)) firsts.set(row.orderingKey, row)
  }
  return cutEach(destination, [...firsts.values()])
}

/** Cuts each row for a request of its own. Pure. */
export function cutEach({ transport, prepare }: Destination, rows: readonly QueuedIntent[]): Wave {
  const limits = { ...transport.limits, count: 1 }
  const cuts = rows.map((row) => cutBatch([row], limits, prepare))
  return {
    batch: cuts.flatMap(({ batch }) => batch),
    dead: cuts.flatMap(({ dead }) => dead),
    suppressed: cuts.flatMap(({ suppressed }) => suppressed),
  }
}
