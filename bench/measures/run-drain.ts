import type { Api } from '../api/api.ts'
import type { JournalReport } from '../api/journal.ts'
import { WorkerProcess } from '../machine/worker-process.ts'
import { judgeRun } from '../oracle/judge-run.ts'
import type { Peer } from '../peers/peer.ts'

export interface DrainRun {
  readonly count: number
  /** Intents per second, from the first request's arrival to the last one's answer. */
  readonly rate: number
  readonly seconds: number
  readonly report: JournalReport
  /** What the peer promises and did not keep; empty where all held. */
  readonly broken: readonly string[]
}

/** A peer works off a backlog that was there before its worker started. */
export async function runDrain(
  api: Api,
  peer: Peer,
  storeUrl: string,
  count: number,
  latencyMs: number,
): Promise<DrainRun> {
  await api.begin(count, latencyMs)
  const worker = await WorkerProcess.start(peer.worker({ storeUrl, apiUrl: api.url }))
  try {
    await Promise.race([api.untilSeen(count), worker.failed])
  } finally {
    await worker.stop()
  }
  const report = await api.report()
  const seconds = (report.lastAnsweredAt - report.firstAt) / 1_000
  const committed = peer.store === 'postgres' ? peer.committed : undefined
  const broken = committed ? await judgeRun(api, storeUrl, committed) : []
  return { count, seconds, rate: count / seconds, report, broken }
}
