import { createOutbox, intents, type Transaction } from '../../src/index.ts'
import { executorFor } from '../../src/enqueue/transactions/recognise.ts'
import type { AppTransaction, Library } from '../../test/libraries/contract/library.ts'
import { LIBRARIES } from '../load/libraries.ts'
import { insertIntent, lanesOf, ORDERS } from '../load/transactions.ts'
import { withClient } from '../machine/postgres.ts'
import { installOutbox } from '../peers/outbox/peer.ts'
import { payloadOf, personOf } from '../workload/payload.ts'
import type { Bench } from './bench.ts'
import { type Measure, median, type Series } from './measure.ts'

/** Transactions of one kind before the other kind has its turn. */
const BLOCK = 25

/** Milliseconds of each transaction, by what it stored beside the order. */
interface Times {
  readonly insert: number[]
  readonly enqueue: number[]
}

/** What a transaction stores beside its order. */
type Store = (tx: Transaction, ref: number) => Promise<unknown>

export const libraries: Measure = {
  id: 'libraries',
  title:
    "Enqueue through each library, next to the library's own INSERT of such a row: BEGIN, an order, the row, COMMIT",
  async run(bench) {
    const url = await bench.postgres.create()
    await installOutbox(url)
    const lanes = await withClient(url, async (client) => {
      await client.query(ORDERS)
      await client.query('CREATE TABLE unread_intents (LIKE outbox.intents INCLUDING ALL)')
      return lanesOf(client)
    })
    const outbox = createOutbox()
    const stores: Readonly<Record<keyof Times, Store>> = {
      insert: (tx, ref) => {
        const { text, values } = insertIntent('unread_intents', lanes, ref)
        return executorFor(tx).execute(text, values)
      },
      enqueue: (tx, ref) => {
        const { customerId, name, data } = payloadOf(ref)
        return outbox.enqueue(tx, intents.track(customerId, name, { ...data }))
      },
    }
    const ratios: Series[] = []
    for (const library of LIBRARIES) ratios.push(await measure(bench, library, url, stores))
    await bench.postgres.drop(url)
    const slowest = ratios.reduce((one, other) => (median(other.values) > median(one.values) ? other : one))
    return {
      id: this.id,
      title: this.title,
      groups: [{ title: "time of a transaction, × with the library's own INSERT", series: ratios }],
      bars: [
        {
          says: `the slowest library (${slowest.label}) ≤ 1.15 × its own INSERT`,
          measured: median(slowest.values),
          bound: { most: 1.15 },
          unit: '×',
        },
      ],
      broken: [],
    }
  },
}

async function measure(
  { settings, log }: Bench,
  library: Library,
  url: string,
  stores: Readonly<Record<keyof Times, Store>>,
): Promise<Series> {
  const { transaction, close } = await library.open(url)
  const values: number[] = []
  try {
    for (let round = 0; round <= settings.rounds; round++) {
      const times: Times = { insert: [], enqueue: [] }
      for (let ref = 0; ref < settings.sizes.libraryTransactions; ref += BLOCK) {
        for (const kind of ['insert', 'enqueue'] as const) {
          for (let at = ref; at < ref + BLOCK; at++) {
            const start = performance.now()
            await transaction((app) => placeAndStore(app, at, stores[kind]))
            times[kind].push(performance.now() - start)
          }
        }
      }
      // Round 0 warms up the library, the JIT and the server's caches.
      if (round > 0) values.push(median(times.enqueue) / median(times.insert))
    }
  } finally {
    await close()
  }
  log(`${library.name}: ${median(values).toFixed(3)} ×`)
  return { label: library.name, unit: '×', values }
}

async function placeAndStore({ tx, run }: AppTransaction, ref: number, store: Store): Promise<void> {
  await run(`INSERT INTO orders (person, total) VALUES ('${personOf(ref)}', ${ref % 1_000})`)
  await store(tx, ref)
}
