import type { BatchOperation } from 'customerio-node'
import { type Job, PgBoss } from 'pg-boss'
import type { TrackPayload } from '../../workload/payload.ts'
import { endpoints, required, started, trackClient } from '../worker-main.ts'
import { QUEUE } from './peer.ts'

const { storeUrl, apiUrl } = endpoints()
const track = trackClient(apiUrl)
const boss = new PgBoss({ connectionString: storeUrl })
boss.on('error', (error) => console.error(error.message))
await boss.start()

const sendEach = (jobs: Job<TrackPayload>[]) =>
  Promise.all(jobs.map(({ data: { customerId, name, data } }) => track.track(customerId, { name, data })))

const sendBatch = (jobs: Job<TrackPayload>[]) => track.batch(jobs.map(toOperation))

function toOperation({ data: { customerId, name, data } }: Job<TrackPayload>): BatchOperation {
  const identifiers = { id: customerId }
  return { type: 'person', identifiers, action: 'event', name, attributes: data } as unknown as BatchOperation
}

await boss.work<TrackPayload>(
  QUEUE,
  {
    batchSize: Number(required('BATCH_SIZE')),
    localConcurrency: Number(required('LOCAL_CONCURRENCY')),
    burstWhenBatchFull: true,
    pollingIntervalSeconds: 0.5,
  },
  required('CALL') === 'batch' ? sendBatch : sendEach,
)
started(() => boss.stop({ timeout: 5_000 }))
