import { fileURLToPath } from 'node:url'
import { runLoad } from '../load/load-process.ts'
import type { PacerResult, PacerTask } from '../load/pacer.ts'
import { type Mode, ORDERS } from '../load/transactions.ts'
import { withClient } from '../machine/postgres.ts'
import { type WorkerCommand, WorkerProcess } from '../machine/worker-process.ts'
import { listenNotify } from '../peers/listen-notify/peer.ts'
import { judgeArrivals } from '../oracle/judge-arrivals.ts'
import { outbox, outboxUnlimited, relayCommand } from '../peers/outbox/peer.ts'
import type { Endpoints } from '../peers/peer.ts'
import type { Bench } from './bench.ts'
import { type Measure, percentile, ratioBar } from './measure.ts'

const PER_SECOND = 100
/** The start of each run is not evaluated, because the first events run cold code. */
const WARM_UP_SECONDS = 2
const PACER = fileURLToPath(new URL('../load/pacer.ts', import.meta.url))

interface Loop {
  readonly id: string
  readonly label: string
  readonly mode: Mode
  readonly install: (url: string) => Promise<void>
  readonly worker: (endpoints: Endpoints) => WorkerCommand
}

const LOOPS: readonly Loop[] = [
  { ...listenNotify, label: 'bare LISTEN/NOTIFY loop', mode: 'notify' },
  {
    ...outbox,
    label: 'customerio-outbox, default settings',
    mode: 'enqueue',
    worker: (endpoints) => relayCommand(endpoints),
  },
  { ...outboxUnlimited, mode: 'enqueue' },
]

export const latency: Measure = {
  id: 'latency',
  title: `Latency from commit to arrival at ${PER_SECOND} commits/s, API without latency`,
  async run(bench) {
    const p50 = new Map<string, number[]>(LOOPS.map(({ id }) => [id, []]))
    const p99 = new Map<string, number[]>(LOOPS.map(({ id }) => [id, []]))
    const broken: string[] = []
    for (let round = 1; round <= bench.settings.rounds; round++) {
      for (const loop of LOOPS) {
        const { delays, faults } = await runOnce(bench, loop)
        p50.get(loop.id)?.push(percentile(delays, 0.5))
        p99.get(loop.id)?.push(percentile(delays, 0.99))
        broken.push(...faults.map((fault) => `latency, ${loop.id}: ${fault}`))
        bench.log(
          `round ${round}/${bench.settings.rounds}, ${loop.id}: p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${percentile(delays, 0.99).toFixed(1)} ms`,
        )
      }
    }
    const bare = p50.get('listen-notify')
    return {
      id: this.id,
      title: this.title,
      groups: [
        {
          title: 'p50',
          series: LOOPS.map(({ id, label }) => ({ label, unit: 'ms', values: p50.get(id) ?? [] })),
        },
        {
          title: 'p99',
          series: LOOPS.map(({ id, label }) => ({ label, unit: 'ms', values: p99.get(id) ?? [] })),
        },
      ],
      bars: [
        ratioBar("p50 ≤ 2.3 × a bare LISTEN/NOTIFY loop's", p50.get('outbox'), bare, { most: 2.3 }),
        ratioBar('p50 ≤ 1.5 × the same, rate limit raised', p50.get('outbox-unlimited'), bare, { most: 1.5 }),
        ratioBar("p99 ≤ 3 × a bare LISTEN/NOTIFY loop's", p99.get('outbox'), p99.get('listen-notify'), {
          most: 3,
        }),
      ],
      broken,
      charts: [
        {
          name: 'latency',
          title: `Commit to arrival at ${PER_SECOND}/s: ms`,
          unit: ' ms',
          bars: LOOPS.flatMap(({ id, label }) => [
            { label: `${label}, p50`, values: p50.get(id) ?? [] },
            { label: `${label}, p99`, values: p99.get(id) ?? [] },
          ]),
        },
      ],
    }
  },
}

async function runOnce(
  { api, postgres, settings }: Bench,
  loop: Loop,
): Promise<{ delays: number[]; faults: string[] }> {
  const databaseUrl = await postgres.create()
  await loop.install(databaseUrl)
  await withClient(databaseUrl, (client) => client.query(ORDERS))
  const seconds = WARM_UP_SECONDS + settings.sizes.latencySeconds
  const count = PER_SECOND * seconds
  await api.begin(count, 0)
  const worker = await WorkerProcess.start(loop.worker({ storeUrl: databaseUrl, apiUrl: api.url }))
  try {
    const task: PacerTask = { databaseUrl, mode: loop.mode, perSecond: PER_SECOND, seconds }
    const { committedAt, committed } = await runLoad<PacerResult>(PACER, task)
    await Promise.race([api.untilSeen(count), worker.failed])
    const arrivals = await api.arrivals()
    return {
      delays: committedAt
        .map((at, ref) => (arrivals[ref] ?? Number.NaN) - at)
        .slice(WARM_UP_SECONDS * PER_SECOND),
      faults: loop.mode === 'enqueue' ? judgeArrivals(await api.log(), committed) : [],
    }
  } finally {
    await worker.stop()
    await postgres.drop(databaseUrl)
  }
}
