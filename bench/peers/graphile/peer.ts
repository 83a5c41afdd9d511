import { fileURLToPath } from 'node:url'
import { payloadSql } from '../../workload/payload.ts'
import type { PostgresPeer } from '../peer.ts'

export const TASK = 'track'
/** The settings that Graphile Worker publishes for its own benchmark: https://worker.graphile.org/docs/performance */
export const SETTINGS = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}
const CHUNK = 10_000

export const graphile: PostgresPeer = {
  id: 'graphile',
  label: 'graphile-worker, a job and a call per intent',
  settings: `as its own documentation recommends: ${JSON.stringify(SETTINGS)}`,
  store: 'postgres',
  count: (full, latencyMs) => Math.min(full, latencyMs === 0 ? 10_000 : latencyMs <= 50 ? 3_000 : 1_000),
  async install(url) {
    const { runMigrations } = await import('graphile-worker')
    await runMigrations({ connectionString: url })
  },
  async fill(client, count) {
    for (let from = 0; from < count; from += CHUNK) {
      await client.query(
        `SELECT count(*) FROM graphile_worker.add_jobs((
           SELECT array_agg((${`'${TASK}'`}, ${payloadSql('n')}::json, NULL, NULL, NULL, NULL, NULL, NULL)
                            ::graphile_worker.job_spec ORDER BY n)
           FROM generate_series($1::int, $2::int) AS n))`,
        [from, Math.min(from + CHUNK, count) - 1],
      )
    }
  },
  worker: ({ storeUrl, apiUrl }) => ({
    script: fileURLToPath(new URL('./worker.ts', import.meta.url)),
    environment: { STORE_URL: storeUrl, API_URL: apiUrl },
  }),
}
