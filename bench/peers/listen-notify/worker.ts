import type { BatchOperation } from 'customerio-node'
import pg from 'pg'
import type { TrackPayload } from '../../workload/payload.ts'
import { endpoints, started, trackClient } from '../worker-main.ts'

const { storeUrl, apiUrl } = endpoints()
const track = trackClient(apiUrl)
const client = new pg.Client({ connectionString: storeUrl })
await client.connect()
let draining = false
let pending = false

async function drain(): Promise<void> {
  pending = true
  if (draining) return
  draining = true
  while (pending) {
    pending = false
    const { rows } = await client.query<{ seq: string; payload: TrackPayload }>({
      name: 'read',
      text: 'SELECT seq, payload FROM backlog ORDER BY seq LIMIT 1000',
    })
    if (rows.length === 0) break
    await track.batch(rows.map(({ payload }) => toOperation(payload)))
    const seqs = rows.map(({ seq }) => seq)
    await client.query({
      name: 'delete',
      text: 'DELETE FROM backlog WHERE seq = ANY ($1::bigint[])',
      values: [seqs],
    })
  }
  draining = false
}

function toOperation({ customerId, name, data }: TrackPayload): BatchOperation {
  const identifiers = { id: customerId }
  return { type: 'person', identifiers, action: 'event', name, attributes: data } as unknown as BatchOperation
}

client.on('notification', () => void drain())
await client.query('LISTEN backlog')
started(() => client.end())
await drain()
