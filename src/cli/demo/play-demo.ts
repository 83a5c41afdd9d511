import pg from 'pg'
import { migrate } from '../../store/migrate/migrate.ts'
import { type Names, namesOf } from '../../store/names.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import { startRealPostgres } from '../../testing/postgres/real-postgres.ts'
import type { RealPostgres } from '../../testing/postgres/server.ts'
import { keepSecret, SettingError } from '../errors.ts'
import { painter } from '../output/format.ts'
import { arrivalOf, check, violations } from './evidence/check.ts'
import { refuseForeignWork } from './guard.ts'
import { durationFor, playIncidents } from './incidents.ts'
import { latencies } from './evidence/latency.ts'
import { Monitor } from './monitor.ts'
import { lastTransition, readEvidence, readTransitions } from './evidence/read-evidence.ts'
import { type Fleet, startFleet } from './fleet.ts'
import type { DemoResult } from './evidence/report.ts'
import { openScreen } from './screen.ts'
import { Shop } from './shop/shop.ts'
import { SHOP_DDL } from './shop/shop-schema.ts'
import type { Stage } from './stage.ts'
import { Narrator } from './narrator.ts'

/** Time of an answer of the fake Customer.io. */
const LATENCY_MS = 20
const DRAIN_AT_MOST_MS = 60_000

/** Sets up, lets the shop and the incidents run, waits for the queue to empty, and compares. */
export async function playDemo(stage: Stage): Promise<DemoResult> {
  const begin = performance.now()
  const { abort, cleanup, output } = stage
  const say = (text: string) => void output.write(`  ${painter(output.isTTY).dim(text)}\n`)
  const postgres = await openPostgres(stage, say)
  const names = namesOf(stage.schema)
  const pool = await prepareDatabase(stage, postgres, names, say)
  const fake = await startFakeCustomerIo({ latencyMs: LATENCY_MS })
  cleanup.defer(() => fake.close())
  const fleet = await startFleet({ stage, names, pool, databaseUrl: postgres.url, fake })
  say(`2 relay processes, and a Customer.io on ${fake.url} that answers after ${LATENCY_MS} ms\n`)

  const firstTransition = await lastTransition(pool, names)
  const durationMs = durationFor(stage.outageMs)
  const { run, intents, schema } = stage
  const shop = new Shop({
    connectionString: postgres.url,
    schema,
    run,
    intents,
    durationMs,
    signal: abort.signal,
  })
  cleanup.defer(() => shop.close())
  const screen = openScreen(output, painter(output.isTTY))
  cleanup.defer(() => screen.close())
  const narrator = new Narrator({ screen, shop, fake, fleet, intents })
  const monitor = new Monitor(pool, names, (sight) => narrator.show(sight))
  const { relays } = fleet
  const { event, now } = narrator

  const watching = monitor.watch(abort.signal)
  watching.catch((error) => abort.abort(error))
  const [disturbed] = await Promise.all([
    playIncidents({
      fake,
      relays,
      monitor,
      outageMs: stage.outageMs,
      durationMs,
      signal: abort.signal,
      event,
      now,
    }),
    shop
      .open()
      .then(() => event(`the shop closes: ${intents.toLocaleString('en-US')} intents are committed`)),
  ])
  now('draining')
  await monitor.until((sight) => sight.pending === 0, DRAIN_AT_MOST_MS, abort.signal)
  now('stopping the relay, comparing what was committed with what arrived')
  const refusals = await fleet.stop()
  abort.signal.throwIfAborted()
  screen.close()

  return compare({ stage, names, pool, fake, shop, refusals, disturbed, firstTransition, postgres, begin })
}

async function openPostgres(
  { databaseUrl, cleanup }: Stage,
  say: (text: string) => void,
): Promise<RealPostgres> {
  if (databaseUrl === undefined) say('starting a Postgres of its own …')
  const postgres = await startRealPostgres({ databaseUrl }).catch((error) => {
    throw new SettingError(error.message, { cause: error })
  })
  cleanup.defer(() => postgres.stop())
  return postgres
}

async function prepareDatabase(
  { databaseUrl, schema, abort, cleanup }: Stage,
  postgres: RealPostgres,
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
  pool.on('error', () => {}) // the next statement says it
  cleanup.defer(() => pool.end())
  await refuseForeignWork(pool, names)
  await migrate({ connectionString: postgres.url, schema })
  await pool.query(SHOP_DDL)
  const stays = `on the database given; its schemas "${names.schema}" and "outbox_demo" stay there afterwards`
  say(databaseUrl === undefined ? `on ${postgres.source}, which goes when the demo ends` : stays)
  return pool
}

interface Played {
  readonly stage: Stage
  readonly names: Names
  readonly pool: pg.Pool
  readonly fake: FakeCustomerIo
  readonly shop: Shop
  /** Relays that did not stop as they should. */
  readonly refusals: Awaited<ReturnType<Fleet['stop']>>
  readonly disturbed: { readonly from: number; readonly until: number }
  readonly firstTransition: number
  readonly postgres: RealPostgres
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
  const failures = [...violations(findings), ...played.refusals]
  if (stored.expected.length !== ledger.committedAt.size) {
    failures.push(
      `the shop's table has ${stored.expected.length} intents and ${ledger.committedAt.size} COMMITs were answered`,
    )
  }
  return {
    holds: failures.length === 0,
    failures,
    committed: { intents: stored.expected.length, transactions: ledger.committedTransactions },
    rolledBack: { intents: ledger.rolledBack.size, transactions: ledger.rolledBackTransactions },
    findings,
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
