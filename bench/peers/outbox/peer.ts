import { fileURLToPath } from 'node:url'
import { migrate } from '../../../src/index.ts'
import type { WorkerCommand } from '../../machine/worker-process.ts'
import type { Endpoints, PostgresPeer } from '../peer.ts'
import { committed, fill } from './backlog.ts'

/** Built by `bench/start.ts`. */
const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/** `customerio-outbox relay` as a user runs it, with its defaults or with flags. */
export function relayCommand({ storeUrl, apiUrl }: Endpoints, flags: readonly string[] = []): WorkerCommand {
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

export async function installOutbox(url: string): Promise<void> {
  await migrate({ connectionString: url })
}

function outboxPeer(id: string, label: string, settings: string, flags: readonly string[]): PostgresPeer {
  return {
    id,
    label,
    settings,
    store: 'postgres',
    count: (full) => full,
    install: installOutbox,
    fill,
    committed,
    worker: (endpoints) => relayCommand(endpoints, flags),
  }
}

export const outbox = outboxPeer(
  'outbox',
  'customerio-outbox, default settings',
  'customerio-outbox relay, no flags: 16 workers, batches of 1,000, at most 100 requests/s',
  [],
)

const BEST = ['--batch-size', '2000']

export const outboxBest = outboxPeer(
  'outbox-best',
  'customerio-outbox, best settings',
  `customerio-outbox relay ${BEST.join(' ')}: batches as large as Customer.io's 500 KB allow`,
  BEST,
)
