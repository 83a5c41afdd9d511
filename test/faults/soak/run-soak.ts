import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../../../src/store/migrate.ts'
import { startFakeCustomerIo } from '../../../src/testing/index.ts'
import { eventually } from '../../support/eventually.ts'
import { judge, type Verdict } from '../support/oracle.ts'
import { startPostgresServer } from '../support/postgres-server.ts'
import { createShop, Ledger, readTables } from '../support/shop.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { happen } from './incidents.ts'
import { runSchedule } from './run-schedule.ts'
import { describeEntry, type Entry } from './schedule.ts'
import { SupervisedRelay } from './supervised-relay.ts'
import { ask, type World } from './world.ts'
import { write } from './writing.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly relays: number
  /** Committed intents a minute to aim at. */
  readonly rate: number
  readonly entries: readonly Entry[]
  /** Once a second. */
  readonly onProgress: (progress: Progress) => void
  readonly onIncident: (text: string) => void
}

export interface Progress {
  readonly elapsedMs: number
  readonly committed: number
  readonly delivered: number
  readonly incidents: number
  readonly relaysRunning: number
}

export interface SoakResult {
  readonly verdict: Verdict
  /** What must not have happened, besides what the oracle finds; a sentence each. */
  readonly misconduct: readonly string[]
  readonly unknownCommits: number
  readonly rolledBack: number
  readonly requests: Readonly<Record<number, number>>
  readonly restarts: number
  readonly drainMs: number
  /** The relays' logs are kept here. */
  readonly logs: string
}

/** Longer than a lane's longest backoff after a takeover after a half-open connection was noticed. */
const DRAIN_WITHIN_MS = 180_000

/** Everything goes wrong for some minutes, then nothing more: the backlog drains, and the oracle judges. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  await using cleanup = new AsyncDisposableStack()
  const misconduct: string[] = []
  const logs = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-soak-'))
  const server = cleanup.adopt(await startPostgresServer(), (it) => it.close())
  const databaseUrl = new URL(server.url)
  databaseUrl.pathname = '/soak'
  const url = databaseUrl.toString()
  await ask({ databaseUrl: server.url }, 'CREATE DATABASE soak')
  await migrate({ connectionString: url })
  const fake = cleanup.use(await startFakeCustomerIo())
  const numbers = Array.from({ length: options.relays }, (_, number) => number)
  const proxies = await Promise.all(
    numbers.map(async () => cleanup.adopt(await startTcpProxy(url), (proxy) => proxy.close())),
  )
  const relays = numbers.map(
    (number) =>
      new SupervisedRelay({
        number,
        databaseUrl: proxies[number]?.url(url) ?? url,
        customerioUrl: fake.url,
        logFile: path.join(logs, `relay-${number}.log`),
        onMisconduct: (what) => misconduct.push(what),
      }),
  )
  const killAll = () => {
    for (const relay of relays) relay.killNow()
  }
  process.once('exit', killAll)
  cleanup.defer(async () => {
    await Promise.all(relays.map((relay) => relay.kill()))
    process.off('exit', killAll)
  })
  const world: World = { server, databaseUrl: url, proxies, relays, fake }
  const ledger = new Ledger()
  await onClient(url, createShop)
  for (const relay of relays) relay.start()

  const durationMs = options.minutes * 60_000
  const began = performance.now()
  let incidents = 0
  const progress = setInterval(() => {
    options.onProgress({
      elapsedMs: performance.now() - began,
      committed: ledger.acknowledged.size,
      delivered: fake.counts.applied,
      incidents,
      relaysRunning: relays.filter(({ isRunning }) => isRunning).length,
    })
  }, 1_000)
  cleanup.defer(() => clearInterval(progress))
  const over = new AbortController()
  const writing = write({
    connectionString: url,
    ledger,
    seed: options.seed,
    intents: options.rate * options.minutes,
    durationMs,
  })
  const schedule = runSchedule({
    entries: options.entries,
    signal: over.signal,
    happen: ({ incident }) => happen(world, incident, over.signal),
    onBegin: (entry) => {
      incidents++
      options.onIncident(describeEntry(entry))
    },
    onFailure: (entry, error) =>
      misconduct.push(`the schedule's "${describeEntry(entry).trim()}" failed: ${error.message}`),
  })
  await writing.finally(() => over.abort()) // the schedule is not left alone where the writers fail
  await schedule

  options.onIncident('the faults end, the backlog drains')
  fake.behave()
  for (const proxy of proxies) {
    await proxy.restore()
    proxy.cut('rst') // what was swallowed is lost: those connections are of no use any more
  }
  for (const relay of relays) relay.start()
  const drainBegan = performance.now()
  await eventually(
    'an empty queue',
    async () => (await ask(world, LEFT))?.length === 0,
    DRAIN_WITHIN_MS,
  ).catch((error: Error) => misconduct.push(`the backlog did not drain: ${error.message}`))
  const drainMs = performance.now() - drainBegan
  const restarts = relays.reduce((sum, relay) => sum + relay.restarts, 0)
  await Promise.all(relays.map((relay) => relay.stop()))
  const tables = await onClient(url, readTables)
  const verdict = judge({ ...tables, ...ledger, applied: fake.applied, duplicates: fake.duplicates })
  return {
    verdict,
    misconduct,
    unknownCommits: ledger.unknown.size,
    rolledBack: ledger.rolledBack.size,
    requests: fake.requests.byStatus,
    restarts,
    drainMs,
    logs,
  }
}

const LEFT = 'SELECT 1 FROM outbox.intents LIMIT 1'

async function onClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
