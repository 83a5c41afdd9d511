import type { Peer } from '../peers/peer.ts'
import type { DrainRun } from './run-drain.ts'

/**
 * What a run of this project has broken: its rate is worth nothing if an intent was lost, sent twice under two ids,
 * or out of order. The other peers promise less; what they lost would show as a run that never ends.
 */
export function judgeRun(
  peer: Pick<Peer, 'id'>,
  { report, count, broken }: Pick<DrainRun, 'report' | 'count' | 'broken'>,
): string[] {
  const faults = [...broken]
  if (report.seen !== count) faults.push(`${count - report.seen} of ${count} intents never arrived`)
  if (!peer.id.startsWith('outbox')) return faults
  if (report.outOfOrder > 0) faults.push(`${report.outOfOrder} events behind a later one of their person`)
  if (report.repeatedOtherId > 0) faults.push(`${report.repeatedOtherId} events came again under another id`)
  if (report.unknown > 0) faults.push(`${report.unknown} events that nobody enqueued`)
  return faults
}
