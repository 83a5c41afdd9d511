import type { JournalReport } from '../../api/journal.ts'
import { cpuSeconds } from '../../machine/process-usage.ts'
import { WorkerProcess } from '../../machine/worker-process.ts'
import { judgeRun } from '../../oracle/judge-run.ts'
import type { Peer } from '../../peers/peer.ts'
import type { Bench } from '../bench.ts'

export interface DrainRun {
  readonly count: number
  /** Intents per second, from the arrival of the first request to the answer of the last. */
  readonly rate: number
  readonly seconds: number
  /**
   * CPU milliseconds of worker and store per 1,000 intents, including the worker's start. Unlike the rate, it can be
   * compared even if other programs keep the machine busy. Undefined if it cannot be read.
   */
  readonly cpuPerThousand: number | undefined
  readonly report: JournalReport
  /** Violated promises of the peer. */
  readonly broken: readonly string[]
}

/** Starts a worker on an existing backlog and measures until the backlog is delivered. */
export async function runDrain(
  bench: Bench,
  peer: Peer,
  storeUrl: string,
  count: number,
  latencyMs: number,
): Promise<DrainRun> {
  const { api } = bench
  await api.begin(count, latencyMs)
  const before = await storeCpu(bench, peer)
  const worker = await WorkerProcess.start(peer.worker({ storeUrl, apiUrl: api.url }))
  let used: number | undefined
  try {
    await Promise.race([api.untilSeen(count), worker.failed])
    used = cpuSeconds(worker.pid)
  } finally {
    await worker.stop()
  }
  const after = await storeCpu(bench, peer)
  const report = await api.report()
  const seconds = (report.lastAnsweredAt - report.firstAt) / 1_000
  const committed = peer.store === 'postgres' ? peer.committed : undefined
  return {
    count,
    seconds,
    rate: count / seconds,
    cpuPerThousand: perThousand(count, after, before, used),
    report,
    broken: committed ? await judgeRun(api, storeUrl, committed) : [],
  }
}

async function storeCpu({ postgres, redis }: Bench, peer: Peer): Promise<number | undefined> {
  return peer.store === 'postgres' ? postgres.cpuSeconds() : cpuSeconds(redis?.pid ?? 0)
}

function perThousand(count: number, after?: number, before?: number, worker?: number): number | undefined {
  if (after === undefined || before === undefined || worker === undefined) return undefined
  return ((after - before + worker) * 1e6) / count
}
