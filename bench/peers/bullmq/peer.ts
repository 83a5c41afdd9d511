import { fileURLToPath } from 'node:url'
import { payloadOf } from '../../workload/payload.ts'
import type { RedisPeer } from '../peer.ts'
import { connectionOf } from './connection.ts'

export const QUEUE = 'customerio'
const CHUNK = 1_000
/** The backlog of a slow peer lasts this long, at the rate that concurrency and latency allow. Seconds. */
const SECONDS = 6

/** The common pattern: a queue in Redis, and a worker that makes one call per job. */
export function bullmq(concurrency: number): RedisPeer {
  return {
    id: `bullmq-${concurrency}`,
    label: `BullMQ, one call per job, concurrency ${concurrency}`,
    settings: `concurrency ${concurrency}, removeOnComplete, customerio-node's track() per job`,
    store: 'redis',
    count: (full, latencyMs) =>
      Math.min(full, latencyMs === 0 ? 10_000 : Math.ceil((SECONDS * concurrency * 1_000) / latencyMs)),
    async fill(url, count) {
      const { Queue } = await import('bullmq')
      const queue = new Queue(QUEUE, { connection: connectionOf(url) })
      for (let from = 0; from < count; from += CHUNK) {
        const refs = Array.from({ length: Math.min(CHUNK, count - from) }, (_, n) => from + n)
        await queue.addBulk(
          refs.map((ref) => ({ name: 'track', data: payloadOf(ref), opts: { removeOnComplete: true } })),
        )
      }
      await queue.close()
    },
    worker: ({ storeUrl, apiUrl }) => ({
      script: fileURLToPath(new URL('./worker.ts', import.meta.url)),
      environment: { STORE_URL: storeUrl, API_URL: apiUrl, CONCURRENCY: String(concurrency) },
    }),
  }
}
