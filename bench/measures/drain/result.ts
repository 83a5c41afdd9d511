import { PEERS } from '../../peers/peers.ts'
import { type Bar, type Measure, type MeasureResult, ratioBar, type Series } from '../measure.ts'
import type { DrainRun } from './run-drain.ts'

/** Latencies of the API. Milliseconds. */
export const LATENCIES = [0, 50, 200]

/** Runs by latency and peer id. */
export type Rounds = Map<number, Map<string, readonly DrainRun[]>>

export function drainResult(measure: Measure, rounds: Rounds): MeasureResult {
  const groups = LATENCIES.map((latency) => ({
    title: `API latency ${latency} ms`,
    series: seriesOf(rounds, latency, 'intents/s', ({ rate }) => rate),
  }))
  const cpu = {
    title: 'processor time, worker and store, 0 ms',
    series: seriesOf(rounds, 0, 'ms per 1,000', ({ cpuPerThousand }) => cpuPerThousand ?? Number.NaN),
  }
  return {
    id: measure.id,
    title: measure.title,
    groups: [...groups, cpu],
    bars: bars((latency, peer) => rounds.get(latency)?.get(peer)),
    broken: faults(rounds),
    charts: groups.map(({ title, series }, n) => ({
      name: `drain-${LATENCIES[n]}ms`,
      title: `Drain, ${title}: intents/s`,
      bars: series,
      unit: '/s',
    })),
  }
}

function seriesOf(rounds: Rounds, latency: number, unit: string, value: (run: DrainRun) => number): Series[] {
  return PEERS.flatMap((peer): Series[] => {
    const runs = rounds.get(latency)?.get(peer.id)
    return runs ? [{ label: peer.label, unit, values: runs.map(value), note: noteOf(runs) }] : []
  })
}

function noteOf(runs: readonly DrainRun[]): string {
  const outOfOrder = Math.max(...runs.map(({ report }) => report.outOfOrder))
  const order = outOfOrder === 0 ? 'in order' : `up to ${outOfOrder.toLocaleString('en')} out of order`
  return `${(runs[0]?.count ?? 0).toLocaleString('en')} intents, ${order}`
}

function faults(rounds: Rounds): string[] {
  return [...rounds].flatMap(([latency, byPeer]) =>
    [...byPeer].flatMap(([peer, runs]) =>
      runs.flatMap(({ broken }) => broken.map((fault) => `drain, ${peer} at ${latency} ms: ${fault}`)),
    ),
  )
}

function bars(value: (latency: number, peer: string) => readonly DrainRun[] | undefined): Bar[] {
  const rates = (latency: number, peer: string) => value(latency, peer)?.map(({ rate }) => rate)
  const costs = (peer: string) => value(0, peer)?.map(({ cpuPerThousand }) => cpuPerThousand ?? Number.NaN)
  const at = (latency: number, own: string, peer: string, least: number, words: string) =>
    ratioBar(`drain at ${latency} ms ≥ ${least} × ${words}`, rates(latency, own), rates(latency, peer), {
      least,
    })
  return [
    at(0, 'outbox-unlimited', 'floor', 1.05, 'floor, rate limit raised'),
    at(0, 'outbox-mixed', 'floor', 0.8, 'floor, a tenth from SQL'),
    at(0, 'outbox-unlimited', 'pg-boss-batch', 5, 'pg-boss in batches'),
    at(0, 'outbox-unlimited', 'bullmq-5', 40, 'BullMQ, concurrency 5'),
    at(50, 'outbox-unlimited', 'floor', 1, 'floor, rate limit raised'),
    at(50, 'outbox', 'bullmq-5', 150, 'BullMQ, concurrency 5'),
    ratioBar('processor time of an intent ≤ 1.1 × floor', costs('outbox-unlimited'), costs('floor'), {
      most: 1.1,
    }),
  ]
}
