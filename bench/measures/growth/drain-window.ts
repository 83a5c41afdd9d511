import { setTimeout as sleep } from 'node:timers/promises'
import { BUCKET_MS, type JournalReport } from '../../api/journal.ts'
import { peakMemoryMb } from '../../machine/process-usage.ts'
import { WorkerProcess } from '../../machine/worker-process.ts'
import { judgeArrivals } from '../../oracle/judge-arrivals.ts'
import { relayCommand } from '../../peers/outbox/peer.ts'
import type { Bench } from '../bench.ts'

export interface Window {
  /** Intents per second over the whole window. */
  readonly rate: number
  /** Intents per second until the first `first` intents arrived, including the relay's warm-up. */
  readonly firstRate: number
  readonly peakMemoryMb: number | undefined
  /** Findings of the oracle. */
  readonly faults: readonly string[]
}

export interface WindowTask {
  /** All refs are below this number. */
  readonly refs: number
  readonly seconds: number
  /** How many intents `firstRate` covers. */
  readonly first: number
  /** How many intents are pending. */
  readonly all: number
  /** The id of the intent with this ref. */
  readonly idOf: (ref: number) => string
}

/** Runs a relay for `seconds` after its first request, or until `all` intents arrived, and stops it. */
export async function drainWindow(
  { api }: Bench,
  storeUrl: string,
  { refs, seconds, first, all, idOf }: WindowTask,
): Promise<Window> {
  await api.begin(refs, 0)
  const relay = await WorkerProcess.start(relayCommand({ storeUrl, apiUrl: api.url }))
  let peak: number | undefined
  try {
    await Promise.race([api.untilSeen(1), relay.failed])
    await Promise.race([sleep(seconds * 1_000, undefined, { ref: false }), api.untilSeen(all), relay.failed])
    peak = peakMemoryMb(relay.pid)
  } finally {
    await relay.stop()
  }
  const report = await api.report()
  const log = await api.log()
  const span = Math.min(seconds * 1_000, report.lastArrivedAt - report.firstAt)
  return {
    rate: (arrivedWithin(report, span) * 1_000) / span,
    firstRate: (first * 1_000) / timeUntil(report, first),
    peakMemoryMb: peak,
    // Checks only arrived intents. The caller finds lost ones in the database.
    faults: judgeArrivals(log, new Map(Array.from(log.order, (ref) => [ref, idOf(ref)]))),
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
