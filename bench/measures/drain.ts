import type { Peer } from '../peers/peer.ts'
import { PEERS } from '../peers/peers.ts'
import type { Bench } from './bench.ts'
import { drainResult, LATENCIES, type Rounds } from './drain/result.ts'
import { type DrainRun, runDrain } from './drain/run-drain.ts'
import type { Measure } from './measure.ts'

const WARM_UP = 5_000

export const drain: Measure = {
  id: 'drain',
  title: 'Drain: a backlog of track intents of 300 B over 5,000 people',
  async run(bench) {
    const { rounds, sizes } = bench.settings
    const peers = PEERS.filter((peer) => peer.store === 'postgres' || bench.redis !== undefined)
    for (const peer of peers) await runOnce(bench, peer, Math.min(WARM_UP, sizes.drain), 0, 'warm-up')
    const runs: Rounds = new Map(LATENCIES.map((latency) => [latency, new Map()]))
    for (let round = 1; round <= rounds; round++) {
      for (const latency of LATENCIES) {
        const byPeer = runs.get(latency)
        for (const peer of peers) {
          const run = await runOnce(bench, peer, sizes.drain, latency, `round ${round}/${rounds}`)
          byPeer?.set(peer.id, [...(byPeer.get(peer.id) ?? []), run])
        }
      }
    }
    return drainResult(this, runs)
  },
}

async function runOnce(
  bench: Bench,
  peer: Peer,
  full: number,
  latency: number,
  when: string,
): Promise<DrainRun> {
  const { backlogs, postgres, redis, log } = bench
  const count = peer.count(full, latency)
  const storeUrl = peer.store === 'postgres' ? await backlogs.copy(peer, count) : (redis?.url ?? '')
  if (peer.store === 'redis') {
    await redis?.flush()
    await peer.fill(storeUrl, count)
  }
  try {
    const run = await runDrain(bench, peer, storeUrl, count, latency)
    const took = `${Math.round(run.rate)}/s (${count} in ${run.seconds.toFixed(1)} s)`
    log(`${when}, ${latency} ms, ${peer.id}: ${took}, ${run.cpuPerThousand?.toFixed(1)} ms of CPU per 1,000`)
    return run
  } finally {
    if (peer.store === 'postgres') await postgres.drop(storeUrl)
  }
}
