import { fileURLToPath } from 'node:url'
import { withClient } from '../../machine/postgres.ts'
import { PEOPLE, payloadSql } from '../../workload/payload.ts'
import type { PostgresPeer } from '../peer.ts'

export const FLOOR_LANES = 16

/**
 * The minimum of any design on Postgres and `batch`: read, send, delete. It has no breaker, fence, jobs or history, so
 * no complete design costs less.
 */
export const floor: PostgresPeer = {
  id: 'floor',
  label: 'floor: bare SELECT, batch, DELETE',
  settings: `${FLOOR_LANES} lanes at once, batches of 1,000, a connection per lane`,
  store: 'postgres',
  count: (full) => full,
  install: (url) =>
    withClient(url, async (client) => {
      await client.query(
        `CREATE TABLE backlog (lane smallint, seq bigint GENERATED ALWAYS AS IDENTITY, id uuid NOT NULL,
           payload jsonb NOT NULL, enqueued_at timestamptz NOT NULL, PRIMARY KEY (lane, seq))`,
      )
    }),
  async fill(client, count) {
    await client.query(
      `INSERT INTO backlog (lane, id, payload, enqueued_at)
       SELECT n % ${PEOPLE} % ${FLOOR_LANES}, gen_random_uuid(), ${payloadSql('n')}, clock_timestamp()
       FROM generate_series(0, $1::int - 1) AS n ORDER BY n`,
      [count],
    )
  },
  worker: ({ storeUrl, apiUrl }) => ({
    script: fileURLToPath(new URL('./worker.ts', import.meta.url)),
    environment: { STORE_URL: storeUrl, API_URL: apiUrl },
  }),
}
