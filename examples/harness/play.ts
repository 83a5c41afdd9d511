import { setTimeout as delay } from 'node:timers/promises'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/fake/fake-customerio.ts'
import { freePort } from '../../src/testing/postgres/embedded-cluster.ts'
import { checkTypes } from './check-types.ts'
import { ExampleDatabase, type StoredOrder } from './database.ts'
import { type Delivery, deliveryOf } from './delivery.ts'
import type { Example } from './example.ts'
import { judge } from './judge.ts'
import { Customers } from './place-orders.ts'
import { Program, type ProgramOptions } from './program.ts'

export interface PlayOptions {
  readonly serverUrl: string
  /** Prints a line of progress. */
  readonly say: (text: string) => void
  readonly verbose: boolean
}

const INSTALL_MS = 300_000
/** A start may build the app first. */
const START_MS = 240_000
const OUTAGE_SEEN_WITHIN_MS = 30_000
const DELIVERED_WITHIN_MS = 60_000

/** Runs an example from its README to the last delivery. Resolves with a sentence for everything that was wrong. */
export async function play(example: Example, { serverUrl, say, verbose }: PlayOptions): Promise<string[]> {
  const [install, start] = example.commands
  await using database = await ExampleDatabase.create(serverUrl, example.name)
  await using fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: 'key', appApiKey: 'app' })
  const port = await freePort()
  const options: ProgramOptions = {
    cwd: example.folder,
    environment: environment(database.url, fake, port),
    ...(verbose && { onOutput: (chunk) => process.stderr.write(chunk) }),
  }
  say(install)
  await new Program(install, options).succeeded(INSTALL_MS)

  const delivery = deliveryOf(example, database, options)
  const scene: Scene = { fake, database, delivery, say }
  let committed: readonly StoredOrder[]
  fake.misbehave({ kind: 'outage' })
  say(start)
  const app = new Program(start, options)
  try {
    const started = await app.listensOrEnds(port, START_MS)
    if (started === 'ended') await app.succeeded(0)
    if (await checkTypes(example)) say('its types are right') // after the start, which may generate types
    if (started === 'listens') {
      committed = await serveCustomers(scene, new Customers(port))
    } else {
      say('the script has ended with status 0')
      if (!(await database.hasNumberedOrders())) return [] // the script has judged its own deliveries
      committed = await database.orders()
      await deliverThroughOutage(scene)
    }
    await fake.until(({ counts }) => counts.applied >= committed.length, { timeoutMs: DELIVERED_WITHIN_MS })
    await delivery.stop()
  } finally {
    delivery.kill()
    await app.stop()
  }
  const evidence = { stored: await database.orders(), applied: fake.applied, queued: await database.queued() }
  const problems = judge({ committed, ...evidence })
  if (problems.length === 0) {
    say(
      `holds: ${committed.length} committed orders arrived once and in order, in spite of ${failures(fake)}`,
    )
  }
  return problems
}

interface Scene {
  readonly fake: FakeCustomerIo
  readonly database: ExampleDatabase
  readonly delivery: Delivery
  readonly say: PlayOptions['say']
}

/** Orders before, in and after an outage. Resolves with the orders that the app confirmed. */
async function serveCustomers(scene: Scene, customers: Customers): Promise<readonly StoredOrder[]> {
  const { fake, delivery, say } = scene
  fake.behave()
  fake.misbehave({ kind: 'reset', after: 'apply', times: 1 })
  await delivery.start()
  say('it listens; the first orders')
  await customers.placeOrders()
  const { length } = customers.placed
  await fake.until(({ counts }) => counts.applied >= length, { timeoutMs: DELIVERED_WITHIN_MS })
  fake.misbehave({ kind: 'outage' })
  say('orders while Customer.io is down')
  await customers.placeOrders()
  await endOutage(scene)
  await customers.placeOrders()
  return customers.placed
}

/** The orders of a script are committed. Their delivery begins in an outage. */
async function deliverThroughOutage(scene: Scene): Promise<void> {
  await scene.delivery.start()
  await endOutage(scene)
}

/** Ends the outage when the breaker is open. */
async function endOutage({ fake, database, say }: Scene): Promise<void> {
  for (const begin = performance.now(); !(await database.isBreakerOpen()); await delay(100)) {
    if (performance.now() - begin > OUTAGE_SEEN_WITHIN_MS)
      throw new Error('Expected the breaker to open within 30 s')
  }
  say('the breaker is open; Customer.io answers again')
  fake.behave()
}

function environment(databaseUrl: string, fake: FakeCustomerIo, port: number): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    PORT: String(port),
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key',
    CUSTOMERIO_TRACK_URL: fake.url,
    CUSTOMERIO_REGION: 'us',
    // The environment of this process may set these for another relay.
    CUSTOMERIO_APP_API_KEY: '',
    CUSTOMERIO_PIPELINES_WRITE_KEY: '',
    OUTBOX_CONFIG: '',
    OUTBOX_LISTEN_URL: '',
    OUTBOX_SCHEMA: '',
    // `prisma generate` does not run this engine, but would download it.
    PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
    NEXT_TELEMETRY_DISABLED: '1',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
  }
}

function failures({ requests, duplicates }: FakeCustomerIo): string {
  const refused = requests.byStatus[503] ?? 0
  const again = duplicates.length > 0 ? ' and a lost answer' : ''
  return `${refused} requests answered 503${again}`
}
