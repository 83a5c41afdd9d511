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
    bars: bars((latency, peer) =>
      rounds
        .get(latency)
        ?.get(peer)
        ?.map(({ rate }) => rate),
    ),
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

function bars(rate: (latency: number, peer: string) => readonly number[] | undefined): Bar[] {
  const at = (latency: number, peer: string, least: number, words: string) => {
    const says = `drain at ${latency} ms ≥ ${least} × ${words}`
    return ratioBar(says, rate(latency, 'outbox'), rate(latency, peer), { least })
  }
  return [
    at(0, 'floor', 0.6, 'floor'),
    at(0, 'pg-boss-batch', 3, 'pg-boss in batches'),
    at(0, 'bullmq-5', 20, 'BullMQ, concurrency 5'),
    at(50, 'bullmq-5', 150, 'BullMQ, concurrency 5'),
  ]
}
