import { Worker } from 'bullmq'
import type { TrackPayload } from '../../workload/payload.ts'
import { endpoints, required, started, trackClient } from '../worker-main.ts'
import { connectionOf } from './connection.ts'
import { QUEUE } from './peer.ts'

const { storeUrl, apiUrl } = endpoints()
const track = trackClient(apiUrl)
const worker = new Worker<TrackPayload>(
  QUEUE,
  async ({ data: { customerId, name, data } }) => {
    await track.track(customerId, { name, data })
  },
  { connection: connectionOf(storeUrl), concurrency: Number(required('CONCURRENCY')) },
)
worker.on('error', (error) => console.error(error.message))
started(() => worker.close())
