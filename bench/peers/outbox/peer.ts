import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { migrate } from '../../../src/index.ts'
import type { WorkerCommand } from '../../machine/worker-process.ts'
import { payloadSql } from '../../workload/payload.ts'
import type { Place, PostgresPeer } from '../peer.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const CHUNK = 1_000

/** `customerio-outbox relay` as a user runs it, with its defaults or with flags. */
export function relayCommand({ storeUrl, apiUrl }: Place, flags: readonly string[] = []): WorkerCommand {
  return {
    script: MAIN,
    args: ['relay', ...flags],
    environment: {
      DATABASE_URL: storeUrl,
      CUSTOMERIO_SITE_ID: 'site',
      CUSTOMERIO_TRACK_API_KEY: 'key',
      CUSTOMERIO_TRACK_URL: apiUrl,
    },
  }
}

async function fill(client: pg.Client, count: number): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    await client.query(
      `SELECT count(*) FROM outbox.enqueue_many((
         SELECT jsonb_agg(jsonb_build_object('operation', 'track', 'payload', ${payloadSql('n')}) ORDER BY n)
         FROM generate_series($1::int, $2::int) AS n))`,
      [from, Math.min(from + CHUNK, count) - 1],
    )
  }
}

async function check(client: pg.Client, count: number): Promise<string | undefined> {
  const { rows } = await client.query<{ pending: number; delivered: number; dead: number }>(
    `SELECT (SELECT count(*) FROM outbox.intents)::int AS pending,
            (SELECT count(DISTINCT id) FROM outbox.delivered)::int AS delivered,
            (SELECT count(*) FROM outbox.dead_letters)::int AS dead`,
  )
  const [found] = rows
  if (found?.pending === 0 && found.delivered === count && found.dead === 0) return undefined
  return `of ${count} intents, ${found?.delivered} are delivered, ${found?.pending} pending, ${found?.dead} dead letters`
}

function outboxPeer(id: string, label: string, settings: string, flags: readonly string[]): PostgresPeer {
  return {
    id,
    label,
    settings,
    store: 'postgres',
    count: (full) => full,
    install: async (url) => {
      await migrate({ connectionString: url })
    },
    fill,
    check,
    worker: (place) => relayCommand(place, flags),
  }
}

export const outbox = outboxPeer(
  'outbox',
  'customerio-outbox, default settings',
  'customerio-outbox relay, no flags: 16 lanes, batches of 1,000, at most 100 requests/s',
  [],
)

const BEST = ['--batch-size', '2000']

export const outboxBest = outboxPeer(
  'outbox-best',
  'customerio-outbox, best settings',
  `customerio-outbox relay ${BEST.join(' ')}: batches as large as Customer.io's 500 KB allow`,
  BEST,
)
