import { setTimeout as sleep } from 'node:timers/promises'
import { BUCKET_MS, type JournalReport } from '../../api/journal.ts'
import { peakMemoryMb } from '../../machine/process-usage.ts'
import { WorkerProcess } from '../../machine/worker-process.ts'
import { relayCommand } from '../../peers/outbox/peer.ts'
import type { Bench } from '../bench.ts'

export interface Window {
  /** Intents per second over the whole window. */
  readonly rate: number
  /** Intents per second until the first `first` had arrived: cold code included. */
  readonly firstRate: number
  readonly seen: number
  readonly peakMemoryMb: number | undefined
  readonly report: JournalReport
}

/**
 * A relay drains for `seconds` after its first request, or until `all` have arrived, and ends. Refs are below
 * `refs`.
 */
export async function drainWindow(
  { api }: Bench,
  storeUrl: string,
  { refs, seconds, first, all }: { refs: number; seconds: number; first: number; all: number },
): Promise<Window> {
  await api.begin(refs, 0)
  const relay = await WorkerProcess.start(relayCommand({ storeUrl, apiUrl: api.url }))
  let peak: number | undefined
  try {
    await Promise.race([api.untilSeen(1), relay.failed])
    await Promise.race([sleep(seconds * 1_000), api.untilSeen(all), relay.failed])
    peak = peakMemoryMb(relay.pid)
  } finally {
    await relay.stop()
  }
  const report = await api.report()
  const span = Math.min(seconds * 1_000, report.lastArrivedAt - report.firstAt)
  return {
    rate: (arrivedWithin(report, span) * 1_000) / span,
    firstRate: (first * 1_000) / timeUntil(report, first),
    seen: report.seen,
    peakMemoryMb: peak,
    report,
  }
}

function arrivedWithin({ timeline }: JournalReport, ms: number): number {
  return timeline.slice(0, Math.ceil(ms / BUCKET_MS)).reduce((sum, count) => sum + count, 0)
}

function timeUntil({ timeline }: JournalReport, count: number): number {
  let seen = 0
  const bucket = timeline.findIndex((arrived) => {
    seen += arrived
    return seen >= count
  })
  return bucket < 0 ? Number.NaN : (bucket + 1) * BUCKET_MS
}
