import { insertAtOnce, filledId } from '../load/fill-backlog.ts'
import { withClient } from '../machine/postgres.ts'
import { busyShare } from '../machine/process-usage.ts'
import { WorkerProcess } from '../machine/worker-process.ts'
import type { Committed } from '../oracle/judge-arrivals.ts'
import { judgeRun } from '../oracle/judge-run.ts'
import { installOutbox, relayCommand } from '../peers/outbox/peer.ts'
import type { Bench } from './bench.ts'
import { type Bar, type Measure, median } from './measure.ts'

const RELAYS = [1, 2, 4]
/** `--workers` of each relay. */
const WORKERS = 4
const LATENCY_MS = 200
/** Above this busy share the processors are saturated, and more relays cannot be faster. */
const SATURATED = 0.9

interface FleetRun {
  readonly rate: number
  /** Busy share of all processors during the run, 0 to 1. */
  readonly busy: number
  readonly faults: string[]
}

export const fleet: Measure = {
  id: 'fleet',
  title: `Fleet: relays with ${WORKERS} workers each, API latency ${LATENCY_MS} ms; the backlog appears at once`,
  async run(bench) {
    const runs = new Map<number, FleetRun[]>(RELAYS.map((relays) => [relays, []]))
    for (let round = 1; round <= bench.settings.rounds; round++) {
      for (const relays of RELAYS) {
        const run = await runOnce(bench, relays, bench.settings.sizes.fleet)
        runs.get(relays)?.push(run)
        bench.log(
          `round ${round}/${bench.settings.rounds}, ${relays} relays: ${Math.round(run.rate)}/s, processors ${Math.round(run.busy * 100)} % busy`,
        )
      }
    }
    const series = RELAYS.map((relays) => ({
      label: `customerio-outbox, ${relays} ${relays === 1 ? 'relay' : 'relays'}`,
      unit: 'intents/s',
      values: (runs.get(relays) ?? []).map(({ rate }) => rate),
      note: `processors ${Math.round(100 * median((runs.get(relays) ?? []).map(({ busy }) => busy)))} % busy`,
    }))
    return {
      id: this.id,
      title: this.title,
      groups: [{ title: 'drain', series }],
      bars: RELAYS.slice(1).map((relays) => bar(relays, runs)),
      broken: [...runs.values()].flat().flatMap(({ faults }) => faults.map((fault) => `fleet: ${fault}`)),
      charts: [
        {
          name: 'fleet',
          title: `Relays with ${WORKERS} workers each at ${LATENCY_MS} ms: intents/s`,
          bars: series,
          unit: '/s',
        },
      ],
    }
  },
}

async function runOnce({ api, postgres }: Bench, relays: number, count: number): Promise<FleetRun> {
  const storeUrl = await postgres.create()
  await installOutbox(storeUrl)
  await api.begin(count, LATENCY_MS)
  const command = relayCommand({ storeUrl, apiUrl: api.url }, ['--workers', String(WORKERS)])
  const workers = await Promise.all(Array.from({ length: relays }, () => WorkerProcess.start(command)))
  const failed = Promise.race(workers.map((worker) => worker.failed))
  let busy = Number.NaN
  try {
    await withClient(storeUrl, (client) => insertAtOnce(client, count))
    await Promise.race([api.untilSeen(1), failed])
    const share = busyShare()
    await Promise.race([api.untilSeen(count), failed])
    busy = share()
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
  const report = await api.report()
  const faults = await judgeRun(api, storeUrl, () => filledIds(count))
  await postgres.drop(storeUrl)
  return {
    rate: (count * 1_000) / (report.lastAnsweredAt - report.firstAt),
    busy,
    faults,
  }
}

function filledIds(count: number): Committed {
  return new Map(Array.from({ length: count }, (_, ref) => [ref, filledId(ref)]))
}

/** Compares with linear scaling. If that fails on saturated processors, compares with the best rate of fewer relays. */
function bar(relays: number, runs: ReadonlyMap<number, readonly FleetRun[]>): Bar {
  const of = (n: number) => median((runs.get(n) ?? []).map(({ rate }) => rate))
  const busy = median((runs.get(relays) ?? []).map((run) => run.busy))
  const says = `${relays} relays ≥ 0.8 × linear until the processors are saturated`
  const share = of(relays) / (relays * of(1))
  const percent = `processors ${Math.round(busy * 100)} % busy`
  const fewer = Math.max(...RELAYS.filter((n) => n < relays).map(of))
  return busy >= SATURATED && share < 0.8
    ? { says, measured: of(relays) / fewer, bound: { least: 0.8 }, unit: '× fewer relays', why: percent }
    : { says, measured: share, bound: { least: 0.8 }, unit: '× linear', why: percent }
}
