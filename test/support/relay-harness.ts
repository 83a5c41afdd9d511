import {
  createOutbox,
  createRelay,
  type Intent,
  type Outbox,
  type Relay,
  type RelayOptions,
} from '../../src/index.ts'
import {
  type FakeCustomerIo,
  type FakeCustomerIoOptions,
  startFakeCustomerIo,
} from '../../src/testing/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'

type Settings = Partial<Omit<RelayOptions, 'connectionString'>>

/** Breaker and retries in milliseconds where production has seconds: the same code, a shorter test. */
export const QUICK: Settings = {
  retry: { attempts: 1, initialDelayMs: 5 },
  breaker: { failures: 5, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 400 },
  requestTimeoutMs: 1_000,
}

export interface Harness {
  readonly db: TestDatabase
  readonly fake: FakeCustomerIo
  readonly outbox: Outbox
  relay(settings?: Settings): Promise<Relay>
  enqueue(...intents: Intent[]): Promise<string[]>
  /** Waits until the queue is empty. */
  drained(withinMs?: number): Promise<void>
  close(): Promise<void>
}

/** A database and a fake Customer.io of the test's own; `close` stops every relay that was started. */
export async function startHarness(fakeOptions: FakeCustomerIoOptions = {}): Promise<Harness> {
  const db = await createTestDatabase()
  const fake = await startFakeCustomerIo(fakeOptions)
  const outbox = createOutbox()
  const relays: Relay[] = []
  return {
    db,
    fake,
    outbox,
    async relay(settings = {}) {
      const relay = createRelay({
        connectionString: db.url,
        customerio: { siteId: 'site', trackApiKey: 'key', trackUrl: fake.url },
        ...QUICK,
        ...settings,
      })
      relays.push(relay)
      await relay.start()
      return relay
    },
    async enqueue(...intents) {
      const results = await db.transaction((tx) => outbox.enqueue(tx, intents))
      return results.map(({ id }) => id ?? '')
    },
    async drained(withinMs) {
      const left = () => db.rows('SELECT 1 FROM outbox.intents WHERE lane >= 0 LIMIT 1')
      await eventually('an empty queue', async () => (await left()).length === 0, withinMs)
    },
    async close() {
      await Promise.all(relays.map((relay) => relay.stop()))
      await fake.close()
      await db.drop()
    },
  }
}

export function track(customerId: string, n: number): Intent {
  return { operation: 'track', customerId, name: 'step', data: { n } }
}

/** The place that `track(customer, n)` gave an operation: what the fake's order check goes by. */
export function stepOf(operation: { readonly body?: unknown } | Record<string, unknown>): number | undefined {
  const attributes = (operation as { attributes?: { n?: unknown } }).attributes
  return typeof attributes?.n === 'number' ? attributes.n : undefined
}
