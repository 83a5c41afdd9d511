import { Api } from './api/api.ts'
import { Postgres } from './machine/postgres.ts'
import { Redis } from './machine/redis.ts'
import { Backlogs, runDrain } from './measures/run-drain.ts'
import { floor } from './peers/floor/peer.ts'
import { outbox, outboxBest } from './peers/outbox/peer.ts'
import { pgBossSingle, pgBossBatch } from './peers/pg-boss/peer.ts'
import { graphile } from './peers/graphile/peer.ts'
import { bullmq } from './peers/bullmq/peer.ts'
await using postgres = await Postgres.start()
await using redis = await Redis.start()
await using api = await Api.start()
const backlogs = new Backlogs(postgres)
const [,, lat, rounds, n, ids] = process.argv
for (let round = 0; round < Number(rounds); round++)
for (const peer of [floor, outbox, outboxBest, pgBossSingle, pgBossBatch, graphile, bullmq(5), bullmq(50)].filter(p => !ids || ids.split(',').includes(p.id))) {
  const t = performance.now()
  const count = peer.count(Number(n), Number(lat))
  const url = peer.store === 'redis' ? redis!.url : await backlogs.copy(peer, count)
  if (peer.store === 'redis') { await redis!.flush(); await peer.fill(url, count) }
  const filled = performance.now() - t
  const { report: { timeline, ...r }, ...run } = await runDrain(api, peer, url, count, Number(lat))
  if (peer.store === 'postgres') await postgres.drop(url)
  console.log(peer.id, count, Math.round(run.rate), run.seconds.toFixed(2), 'fill', Math.round(filled), JSON.stringify(run.broken), r.requests, r.outOfOrder, r.operations)
}
