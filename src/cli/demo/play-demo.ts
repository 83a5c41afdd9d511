import pg from 'pg'
import { migrate } from '../../store/migrate/migrate.ts'
import { type Names, namesOf } from '../../store/names.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import { count, painter, wrap } from '../output/format.ts'
import { keepSecret } from '../output/redact.ts'
import { arrivalOf, check, violations } from './evidence/check.ts'
import { latencies } from './evidence/latency.ts'
import { lastTransition, readEvidence, readTransitions } from './evidence/read-evidence.ts'
import type { DemoResult } from './evidence/report.ts'
import { refuseForeignWork } from './refuse-foreign-work.ts'
import { type Disturbance, durationFor, playIncidents } from './incidents.ts'
import { Monitor } from './monitor.ts'
import { Narrator } from './narrator.ts'
import { Fleet } from './processes/fleet.ts'
import { OwnPostgres } from './processes/own-postgres.ts'
import { readProgress } from './read-progress.ts'
import { openScreen } from './screen.ts'
import { SHOP_DDL } from './shop/shop-schema.ts'
import { Shop } from './shop/shop.ts'
import type { DemoPostgres, Stage } from './stage.ts'

/** Milliseconds that the fake Customer.io takes to answer. */
const LATENCY_MS = 20
const DRAIN_AT_MOST_MS = 60_000

/** Sets up, plays the shop and the incidents, waits for an empty queue, and compares commits with deliveries. */
export async function playDemo(stage: Stage): Promise<DemoResult> {
  const begin = performance.now()
  const { abort, cleanup, output, run, intents } = stage
  const { signal } = abort
  const paint = painter(output)
  const say = (text: string) => void output.write(`  ${paint.dim(wrap(text, 2))}\n`)

  const postgres = await openPostgres(stage, say)
  const names = namesOf(stage.schema)
  const pool = await prepareDatabase(stage, postgres, names, say)
  const fake = await startFakeCustomerIo({ latencyMs: LATENCY_MS })
  cleanup.defer(() => fake.close())
  let narrator: Narrator | undefined
  const fleet = new Fleet({
    names,
    pool,
    databaseUrl: postgres.url,
    fake,
    onLog: (entry) => narrator?.log(entry),
    onDeath: (error) => abort.abort(error),
  })
  deferFleet(fleet, cleanup)
  await fleet.start()
  signal.throwIfAborted()
  say(`2 relay processes; a fake Customer.io that answers after ${LATENCY_MS} ms, on ${fake.url}`)
  output.write('\n')

  const firstTransition = await lastTransition(pool, names)
  const durationMs = durationFor(stage.outageMs)
  const shop = new Shop({
    connectionString: postgres.url,
    schema: stage.schema,
    run,
    intents,
    durationMs,
    signal,
  })
  cleanup.defer(() => shop.close())
  const screen = openScreen(output, paint)
  cleanup.defer(() => screen.close())
  const show = new Narrator({ screen, fleet, intents })
  narrator = show
  const monitor = new Monitor({
    read: () => readProgress(pool, names, run),
    onProgress: (progress, begunAt) => show.show(progress, begunAt),
  })
  const watching = new AbortController()
  const watched = monitor.watch(AbortSignal.any([signal, watching.signal]))
  watched.catch((error) => abort.abort(error))

  const [disturbed] = await Promise.all([
    playIncidents({
      fake,
      fleet,
      monitor,
      narrator: show,
      outageMs: stage.outageMs,
      durationMs,
      signal,
    }),
    shop.open().then(() => show.event(`the shop closes: ${count(intents)} intents are committed`)),
  ])
  show.now('draining')
  await monitor.until((progress) => progress.backlog === 0, DRAIN_AT_MOST_MS, signal)
  watching.abort()
  await watched
  signal.throwIfAborted()
  screen.close()
  const relays = { alive: fleet.alive, of: fleet.size, restarts: fleet.restarts }
  const failures = await fleet.stop()
  signal.throwIfAborted()
  return compare({
    stage,
    names,
    pool,
    fake,
    shop,
    relays,
    failures,
    disturbed,
    firstTransition,
    postgres,
    begin,
  })
}

/** Uses the given database, or starts a server of the demo's own. */
async function openPostgres(
  { databaseUrl, cleanup }: Stage,
  say: (text: string) => void,
): Promise<DemoPostgres> {
  if (databaseUrl !== undefined) return { url: databaseUrl, source: 'DATABASE_URL' }
  say('starting a Postgres for this run …')
  const own = new OwnPostgres()
  cleanup.defer(() => own.stop())
  return own.started()
}

async function prepareDatabase(
  { databaseUrl, schema, abort, cleanup }: Stage,
  postgres: DemoPostgres,
  names: Names,
  say: (text: string) => void,
): Promise<pg.Pool> {
  abort.signal.throwIfAborted()
  keepSecret(new URL(postgres.url).password)
  const pool = new pg.Pool({
    connectionString: postgres.url,
    max: 3,
    application_name: 'customerio-outbox demo',
    connectionTimeoutMillis: 10_000,
  })
  pool.on('error', () => {}) // the next statement reports it
  cleanup.defer(() => pool.end())
  await refuseForeignWork(pool, names)
  await migrate({ connectionString: postgres.url, schema })
  await pool.query(SHOP_DDL)
  say(
    databaseUrl === undefined
      ? `on ${postgres.source}; the server is removed when the demo ends`
      : `on the given database; the schemas "${names.schema}" and "outbox_demo" stay there`,
  )
  return pool
}

function deferFleet(fleet: Fleet, cleanup: Stage['cleanup']): void {
  const killAll = () => fleet.killAll()
  process.once('exit', killAll)
  cleanup.defer(async () => {
    process.off('exit', killAll)
    await fleet.close()
  })
}

interface Played {
  readonly stage: Stage
  readonly names: Names
  readonly pool: pg.Pool
  readonly fake: FakeCustomerIo
  readonly shop: Shop
  readonly relays: DemoResult['relays']
  /** A sentence for each relay that did not stop with exit status 0. */
  readonly failures: readonly string[]
  readonly disturbed: Disturbance
  readonly firstTransition: number
  readonly postgres: DemoPostgres
  readonly begin: number
}

async function compare(played: Played): Promise<DemoResult> {
  const { stage, names, pool, fake, shop, postgres } = played
  const { ledger } = shop
  const stored = await readEvidence(pool, names, stage.run)
  const applied = fake.applied.map(arrivalOf).filter(({ ref }) => ref.startsWith(`${stage.run}-`))
  const findings = check({
    ...stored,
    rolledBack: new Set([...stored.rolledBack, ...ledger.rolledBack]),
    duplicates: ledger.duplicates,
    applied,
  })
  const failures = [...violations(findings), ...played.failures]
  if (stored.expected.length !== ledger.committedAt.size) {
    failures.push(
      `the shop's table has ${stored.expected.length} intents, but COMMIT was answered for ${ledger.committedAt.size}`,
    )
  }
  return {
    holds: failures.length === 0,
    failures,
    committed: { intents: stored.expected.length, transactions: ledger.committedTransactions },
    rolledBack: { intents: ledger.rolledBack.size, transactions: ledger.rolledBackTransactions },
    findings,
    relays: played.relays,
    duplicatesAtEnqueue: ledger.duplicates.size,
    duplicatesByUlid: fake.counts.duplicates,
    breakerTransitions: await readTransitions(pool, names, played.firstTransition),
    latency: latencies(ledger.committedAt, applied, played.disturbed),
    outageSeconds: stage.outageMs / 1_000,
    requests: fake.counts.requests,
    postgres: postgres.source,
    seconds: Math.round((performance.now() - played.begin) / 100) / 10,
  }
}
