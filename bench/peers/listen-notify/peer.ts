import { fileURLToPath } from 'node:url'
import { withClient } from '../../machine/postgres.ts'
import type { PostgresPeer } from '../peer.ts'

/** The minimum latency of any design on Postgres: NOTIFY in every transaction, and a listener that sends at once. */
export const listenNotify: Pick<PostgresPeer, 'id' | 'install' | 'worker'> = {
  id: 'listen-notify',
  install: (url) =>
    withClient(url, async (client) => {
      await client.query(
        'CREATE TABLE backlog (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL)',
      )
    }),
  worker: ({ storeUrl, apiUrl }) => ({
    script: fileURLToPath(new URL('./worker.ts', import.meta.url)),
    environment: { STORE_URL: storeUrl, API_URL: apiUrl },
  }),
}
