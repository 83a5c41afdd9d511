import { fileURLToPath } from 'node:url'
import { PgBoss } from 'pg-boss'
import { payloadSql } from '../../workload/payload.ts'
import type { PostgresPeer } from '../peer.ts'

export const QUEUE = 'customerio'
const CHUNK = 10_000

interface Mode {
  readonly id: string
  readonly label: string
  readonly batchSize: number
  readonly localConcurrency: number
  readonly call: 'track' | 'batch'
  readonly count: PostgresPeer['count']
}

function pgBoss({ id, label, batchSize, localConcurrency, call, count }: Mode): PostgresPeer {
  return {
    id,
    label,
    settings: `batchSize ${batchSize}, localConcurrency ${localConcurrency}, burstWhenBatchFull, ${
      call === 'batch' ? 'one batch() per fetch' : `track() per job, ${batchSize} at a time`
    }`,
    store: 'postgres',
    count,
    async install(url) {
      const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false })
      boss.on('error', () => {}) // the failing call throws
      await boss.start()
      await boss.createQueue(QUEUE)
      await boss.stop({ graceful: false })
    },
    // The columns that pg-boss' own insert() sets for a job without options.
    async fill(client, total) {
      for (let from = 0; from < total; from += CHUNK) {
        await client.query(
          `INSERT INTO pgboss.job (name, data, policy, retry_limit, retry_delay, retry_backoff, expire_seconds,
                                   keep_until, deletion_seconds, created_on, start_after)
           SELECT q.name, ${payloadSql('n')}, q.policy, q.retry_limit, q.retry_delay, q.retry_backoff, q.expire_seconds,
                  now() + q.retention_seconds * interval '1 s', q.deletion_seconds,
                  clock_timestamp(), now()
           FROM pgboss.queue q, generate_series($1::int, $2::int) AS n WHERE q.name = '${QUEUE}' ORDER BY n`,
          [from, Math.min(from + CHUNK, total) - 1],
        )
      }
    },
    worker: ({ storeUrl, apiUrl }) => ({
      script: fileURLToPath(new URL('./worker.ts', import.meta.url)),
      environment: {
        STORE_URL: storeUrl,
        API_URL: apiUrl,
        BATCH_SIZE: String(batchSize),
        LOCAL_CONCURRENCY: String(localConcurrency),
        CALL: call,
      },
    }),
  }
}

export const pgBossSingle = pgBoss({
  id: 'pg-boss',
  label: 'pg-boss, a job and a call per intent',
  batchSize: 50,
  localConcurrency: 1,
  call: 'track',
  count: (full, latencyMs) => Math.min(full, latencyMs === 0 ? 10_000 : latencyMs <= 50 ? 5_000 : 1_500),
})

export const pgBossBatch = pgBoss({
  id: 'pg-boss-batch',
  label: 'pg-boss, a job per intent, batches of 1,000',
  batchSize: 1_000,
  localConcurrency: 1,
  call: 'batch',
  count: (full, latencyMs) => (latencyMs === 0 ? full : Math.min(full, 100_000)),
})
