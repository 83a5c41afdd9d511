import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate } from '../../../src/relay.ts'
import type { WorkerCommand } from '../../machine/worker-process.ts'
import type { Endpoints, PostgresPeer } from '../peer.ts'
import { committed, fill, fillMixed } from './backlog.ts'

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

/** `customerio-outbox relay` with a limit of requests that no run reaches, so that nothing waits for it. */
function unlimitedRelay({ storeUrl, apiUrl }: Endpoints): WorkerCommand {
  const file = path.join(tmpdir(), `customerio-outbox-bench-${process.pid}.json`)
  const workspace = {
    siteId: { env: 'BENCH_SITE_ID' },
    trackApiKey: { env: 'BENCH_TRACK_API_KEY' },
    trackUrl: apiUrl,
    requestsPerSecond: { track: 10_000 },
  }
  writeFileSync(file, JSON.stringify({ workspaces: { default: workspace } }))
  const environment = { DATABASE_URL: storeUrl, BENCH_SITE_ID: 'site', BENCH_TRACK_API_KEY: 'key' }
  return { script: MAIN, args: ['relay', '--config', file], environment }
}

export async function installOutbox(url: string): Promise<void> {
  await migrate({ connectionString: url })
}

const base = {
  store: 'postgres',
  count: (full: number) => full,
  install: installOutbox,
  committed,
} as const

export const outbox: PostgresPeer = {
  ...base,
  id: 'outbox',
  label: 'customerio-outbox, default settings',
  settings: 'customerio-outbox relay, no flags: 16 workers, batches of 1,000, at most 100 requests/s',
  fill,
  worker: (endpoints) => relayCommand(endpoints),
}

export const outboxUnlimited: PostgresPeer = {
  ...base,
  id: 'outbox-unlimited',
  label: 'customerio-outbox, rate limit raised',
  settings: 'default settings, with a limit of 10,000 requests/s',
  fill,
  worker: unlimitedRelay,
}

export const outboxMixed: PostgresPeer = {
  ...base,
  id: 'outbox-mixed',
  label: 'customerio-outbox, a tenth from SQL',
  settings: 'rate limit raised; every tenth intent was enqueued by plain SQL',
  fill: fillMixed,
  worker: unlimitedRelay,
}
