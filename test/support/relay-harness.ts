import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createOutbox, type EnqueueOptions, type Intent, type Outbox } from '../../src/index.ts'
import { createRelay, type Relay, type RelayOptions } from '../../src/relay.ts'
import {
  type FakeCustomerIo,
  type FakeCustomerIoOptions,
  startFakeCustomerIo,
} from '../../src/testing/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'

type Settings = Partial<RelayOptions>

/** Breaker and retry settings in milliseconds instead of seconds: the same code, a shorter test. */
export const QUICK: Settings = {
  retry: { maxRetries: 1, initialDelayMs: 5 },
  breaker: { failures: 5, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 400 },
  requestTimeoutMs: 1_000,
  checkRegion: false,
}

const CHILD = fileURLToPath(new URL('./relay-child.ts', import.meta.url))

export interface Harness {
  readonly db: TestDatabase
  readonly fake: FakeCustomerIo
  readonly outbox: Outbox
  relay(settings?: Settings): Promise<Relay>
  /** Starts a relay in a separate process, which the test can kill. */
  relayProcess(settings?: Settings): Promise<ChildProcess>
  enqueue(...intents: Intent[]): Promise<string[]>
  enqueueWith(options: Omit<EnqueueOptions, 'dedupKey'>, ...intents: Intent[]): Promise<string[]>
  /** Waits until no intent is pending. Scheduled intents may remain. */
  drained(withinMs?: number): Promise<void>
  close(): Promise<void>
}

/** Creates a test database (unless one is given) and a fake Customer.io. `close` stops every relay that was started. */
export async function startHarness(
  fakeOptions: FakeCustomerIoOptions = {},
  given?: TestDatabase,
): Promise<Harness> {
  const db = given ?? (await createTestDatabase())
  const fake = await startFakeCustomerIo(fakeOptions)
  const outbox = createOutbox()
  const relays: Relay[] = []
  const children: ChildProcess[] = []
  const optionsOf = (settings: Settings = {}): RelayOptions => ({
    connectionString: db.url,
    ...('workspaces' in settings ? {} : { customerio: everyApi(fake) }),
    ...QUICK,
    ...settings,
  })
  const enqueueWith: Harness['enqueueWith'] = async (options, ...intents) => {
    const results = await db.transaction((tx) => outbox.enqueue(tx, intents, options))
    return results.map(({ id }) => id ?? '')
  }
  return {
    db,
    fake,
    outbox,
    async relay(settings) {
      const relay = createRelay(optionsOf(settings))
      relays.push(relay)
      await relay.start()
      return relay
    },
    async relayProcess(settings) {
      const child = spawn(process.execPath, [CHILD], {
        env: { ...process.env, RELAY_OPTIONS: JSON.stringify(optionsOf(settings)) },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(child)
      await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => Promise.reject(new Error(`the relay exited with ${code}`))),
      ])
      return child
    },
    enqueue: (...intents) => enqueueWith({}, ...intents),
    enqueueWith,
    async drained(withinMs) {
      const left = () => db.rows('SELECT 1 FROM outbox.intents WHERE lane >= 0 LIMIT 1')
      await eventually('an empty queue', async () => (await left()).length === 0, withinMs)
    },
    async close() {
      await Promise.all(children.map(endChild))
      await Promise.all(relays.map((relay) => relay.stop()))
      await fake.close()
      await db.drop()
    },
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** Workspace settings with keys for all APIs of one fake. */
export function everyApi(fake: Pick<FakeCustomerIo, 'url'>) {
  return {
    siteId: 'site',
    trackApiKey: 'key',
    appApiKey: 'app-key',
    pipelinesWriteKey: 'write-key',
    trackUrl: fake.url,
    appUrl: fake.url,
    pipelinesUrl: fake.url,
  }
}

/** Returns the ids of `count` people in lane 3 of a destination. */
export async function peopleOfOneLane(
  db: TestDatabase,
  destination: string,
  count: number,
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(
    `SELECT 'p' || n AS id FROM generate_series(1, 100 * $2::int) n
     WHERE outbox.lane_of($1, 'p' || n, 'normal') = 3 LIMIT $2`,
    [destination, count],
  )
  return rows.map(({ id }) => id)
}

export function email(customerId: string, n: number): Intent {
  return {
    operation: 'sendEmail',
    message: {
      to: `${customerId}@example.com`,
      identifiers: { id: customerId },
      transactional_message_id: 1,
      message_data: { n },
    },
  }
}

export function track(customerId: string, n: number): Intent {
  return { operation: 'track', customerId, name: 'step', data: { n } }
}

/** The number `n` of `track(customer, n)`, for the fake's order check. */
export function stepOf(operation: { readonly body?: unknown } | Record<string, unknown>): number | undefined {
  const attributes = (operation as { attributes?: { n?: unknown } }).attributes
  return typeof attributes?.n === 'number' ? attributes.n : undefined
}
