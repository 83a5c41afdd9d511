import { PEERS } from '../peers/peers.ts'
import type { Peer } from '../peers/peer.ts'
import type { Bench } from './bench.ts'
import { type Bar, type Measure, type MeasureResult, ratioBar, type Series } from './measure.ts'
import { type DrainRun, runDrain } from './run-drain.ts'

const LATENCIES = [0, 50, 200]
const WARM_UP = 5_000

/** Rates by latency and peer. */
type Rates = Map<
  number,
  Map<string, { readonly count: number; readonly values: number[]; outOfOrder: number }>
>

export const drain: Measure = {
  id: 'drain',
  title: 'Drain: a backlog of track intents of 300 B over 5,000 people',
  async run(bench) {
    const peers = PEERS.filter((peer) => peer.store === 'postgres' || bench.redis !== undefined)
    for (const peer of peers)
      await once(bench, peer, Math.min(WARM_UP, bench.settings.sizes.drain), 0, 'warm-up')
    const rates: Rates = new Map(LATENCIES.map((latency) => [latency, new Map()]))
    const broken: string[] = []
    for (let round = 1; round <= bench.settings.rounds; round++) {
      for (const latency of LATENCIES) {
        for (const peer of peers) {
          const said = `round ${round}/${bench.settings.rounds}`
          const run = await once(bench, peer, bench.settings.sizes.drain, latency, said)
          const byPeer = rates.get(latency)
          const entry = byPeer?.get(peer.id) ?? { count: run.count, values: [], outOfOrder: 0 }
          entry.values.push(run.rate)
          entry.outOfOrder = Math.max(entry.outOfOrder, run.report.outOfOrder)
          byPeer?.set(peer.id, entry)
          broken.push(...run.broken.map((fault) => `${peer.id} at ${latency} ms: ${fault}`))
        }
      }
    }
    return result(this, rates, broken)
  },
}

async function once(
  { api, backlogs, postgres, redis, say }: Bench,
  peer: Peer,
  full: number,
  latency: number,
  when: string,
): Promise<DrainRun> {
  const count = peer.count(full, latency)
  const storeUrl = peer.store === 'postgres' ? await backlogs.copy(peer, count) : (redis?.url ?? '')
  if (peer.store === 'redis') {
    await redis?.flush()
    await peer.fill(storeUrl, count)
  }
  try {
    const run = await runDrain(api, peer, storeUrl, count, latency)
    say(
      `${when}, ${latency} ms, ${peer.id}: ${Math.round(run.rate)}/s (${count} in ${run.seconds.toFixed(1)} s)`,
    )
    return run
  } finally {
    if (peer.store === 'postgres') await postgres.drop(storeUrl)
  }
}

function result(measure: Measure, rates: Rates, broken: string[]): MeasureResult {
  const groups = LATENCIES.map((latency) => ({
    title: `API latency ${latency} ms`,
    series: PEERS.flatMap((peer): Series[] => {
      const entry = rates.get(latency)?.get(peer.id)
      if (!entry) return []
      const note = noteOf(entry)
      return [{ label: peer.label, unit: 'intents/s', values: entry.values, note }]
    }),
  }))
  return {
    id: measure.id,
    title: measure.title,
    groups,
    bars: bars((latency, peer) => rates.get(latency)?.get(peer)?.values),
    broken,
    charts: groups.map(({ title, series }, n) => ({
      name: `drain-${LATENCIES[n]}ms`,
      title: `Drain, ${title}: intents/s`,
      bars: series.map(({ label, values }) => ({ label, values })),
      unit: '/s',
    })),
  }
}

function noteOf({ count, outOfOrder }: { count: number; outOfOrder: number }): string {
  const order = outOfOrder === 0 ? 'in order' : `up to ${outOfOrder.toLocaleString('en')} out of order`
  return `${count.toLocaleString('en')} intents, ${order}`
}

function bars(rate: (latency: number, peer: string) => readonly number[] | undefined): Bar[] {
  const at = (latency: number, peer: string, least: number, words: string) =>
    ratioBar(`drain at ${latency} ms ≥ ${least} × ${words}`, rate(latency, 'outbox'), rate(latency, peer), {
      least,
    })
  return [
    at(0, 'floor', 0.6, 'floor'),
    at(0, 'pg-boss-batch', 3, 'pg-boss in batches'),
    at(0, 'bullmq-5', 20, 'BullMQ, concurrency 5'),
    at(50, 'bullmq-5', 150, 'BullMQ, concurrency 5'),
  ]
}
