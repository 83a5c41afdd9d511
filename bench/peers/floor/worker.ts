import { setTimeout as sleep } from 'node:timers/promises'
import type { BatchOperation } from 'customerio-node'
import pg from 'pg'
import { toUlid } from '../../../src/customerio/transports/ulid.ts'
import { endpoints, started, trackClient } from '../worker-main.ts'
import { FLOOR_LANES } from './peer.ts'

interface Row {
  readonly seq: string
  readonly id: string
  readonly at: number
  readonly payload: {
    readonly customerId: string
    readonly name: string
    readonly data: Record<string, unknown>
  }
}

const { storeUrl, apiUrl } = endpoints()
const pool = new pg.Pool({ connectionString: storeUrl, max: FLOOR_LANES })
const track = trackClient(apiUrl)
let stopping = false

async function drain(lane: number): Promise<void> {
  while (!stopping) {
    const { rows } = await pool.query<Row>({
      name: 'read',
      text: `SELECT seq, id, floor(extract(epoch FROM enqueued_at))::float8 AS at, payload
             FROM backlog WHERE lane = $1 ORDER BY seq LIMIT 1000`,
      values: [lane],
    })
    if (rows.length === 0) {
      await sleep(100)
      continue
    }
    await track.batch(rows.map(toOperation))
    await pool.query({
      name: 'delete',
      text: 'DELETE FROM backlog WHERE lane = $1 AND seq = ANY ($2::bigint[])',
      values: [lane, rows.map(({ seq }) => seq)],
    })
  }
}

function toOperation({ id, at, payload }: Row): BatchOperation {
  const { customerId, name, data } = payload
  return {
    type: 'person',
    identifiers: { id: customerId },
    action: 'event',
    name,
    id: toUlid(id),
    timestamp: at,
    attributes: data,
  } as unknown as BatchOperation
}

const lanes = Array.from({ length: FLOOR_LANES }, (_, lane) => drain(lane))
started(async () => {
  stopping = true
  await Promise.all(lanes)
})
await Promise.all(lanes)
