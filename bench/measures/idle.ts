import { setTimeout as sleep } from 'node:timers/promises'
import { CountingProxy } from '../machine/counting-proxy.ts'
import { cpuSeconds } from '../machine/process-usage.ts'
import { WorkerProcess } from '../machine/worker-process.ts'
import { installOutbox, relayCommand } from '../peers/outbox/peer.ts'
import type { Bench } from './bench.ts'
import { type Bar, type Measure, median } from './measure.ts'

/** Time after the start before the measurement, so that start-up work is not counted. */
const SETTLE_SECONDS = 3

interface IdleRun {
  readonly startSeconds: number
  /** Percent of one core. Undefined without /proc. */
  readonly cpuPercent: number | undefined
  readonly statementsPerSecond: number
}

export const idle: Measure = {
  id: 'idle',
  title: 'Idle: a relay with nothing to do',
  async run(bench) {
    const runs: IdleRun[] = []
    for (let round = 1; round <= bench.settings.rounds; round++) {
      const run = await runOnce(bench)
      runs.push(run)
      bench.log(
        `round ${round}/${bench.settings.rounds}: ready after ${run.startSeconds.toFixed(2)} s, ${run.cpuPercent?.toFixed(2)} % of a core, ${run.statementsPerSecond.toFixed(2)} statements/s`,
      )
    }
    const cpu = runs.flatMap(({ cpuPercent }) => cpuPercent ?? [])
    const statements = runs.map(({ statementsPerSecond }) => statementsPerSecond)
    const starts = runs.map(({ startSeconds }) => startSeconds)
    return {
      id: this.id,
      title: this.title,
      groups: [
        {
          title: 'idle',
          series: [
            { label: 'processor', unit: '% of a core', values: cpu },
            { label: 'statements at the database', unit: '/s', values: statements },
            { label: 'start of the process to ready', unit: 's', values: starts },
          ],
        },
      ],
      bars: [
        cpuBar(cpu),
        { says: 'idle ≤ 3 queries/s', measured: median(statements), bound: { most: 3 }, unit: '/s' },
        { says: 'start to ready ≤ 2 s', measured: median(starts), bound: { most: 2 }, unit: 's' },
      ],
      broken: [],
    }
  },
}

function cpuBar(cpu: readonly number[]): Bar {
  const bar = { says: 'idle ≤ 1 % of a core', bound: { most: 1 }, unit: '%' }
  return cpu.length > 0
    ? { ...bar, measured: median(cpu) }
    : { ...bar, measured: undefined, why: 'needs /proc' }
}

async function runOnce({ api, postgres, settings, log }: Bench): Promise<IdleRun> {
  const storeUrl = await postgres.create()
  await installOutbox(storeUrl)
  await api.begin(0, 0)
  await using proxy = await CountingProxy.start(storeUrl)
  const began = performance.now()
  const relay = await WorkerProcess.start(relayCommand({ storeUrl: proxy.url, apiUrl: api.url }))
  const startSeconds = (performance.now() - began) / 1_000
  try {
    await sleep(SETTLE_SECONDS * 1_000)
    proxy.take()
    const before = cpuSeconds(relay.pid)
    const from = performance.now()
    await Promise.race([sleep(settings.sizes.idleSeconds * 1_000), relay.failed])
    const seconds = (performance.now() - from) / 1_000
    const after = cpuSeconds(relay.pid)
    const { statements, texts } = proxy.take()
    for (const [text, count] of Object.entries(texts)) log(`${count} × ${text}`)
    return {
      startSeconds,
      cpuPercent:
        before === undefined || after === undefined ? undefined : (100 * (after - before)) / seconds,
      statementsPerSecond: statements / seconds,
    }
  } finally {
    await relay.stop()
    await postgres.drop(storeUrl)
  }
}
