import { afterAll, beforeAll } from 'vitest'
import type { TestDatabase } from '../../support/database.ts'
import type { AppTransaction, Library, OpenLibrary } from './library.ts'

/** A library under test, with the tables that its tests read. */
export interface Bench {
  readonly library: OpenLibrary
  /** The rows of `outbox.intents` with this ordering key, in their order. */
  intents(orderingKey: string): Promise<Record<string, unknown>[]>
  /** The ids of the app's table `orders`: the business writes. */
  orders(): Promise<unknown[]>
  countIntents(): Promise<number>
  /** Empties all tables. */
  reset(): Promise<void>
}

/** TRUNCATE takes ten times the CPU time on tables with a few rows. */
const EMPTY = `WITH a AS (DELETE FROM orders), b AS (DELETE FROM outbox.dedup) DELETE FROM outbox.intents`

/** Opens a library before the tests of a `describe`, and closes it after them. All libraries share `db`. */
export function benchOf(library: Library, db: () => TestDatabase): () => Bench {
  let bench: Bench
  beforeAll(async () => {
    const open = await library.open(db().url)
    const rows = open.rows ?? ((statement: string) => db().rows(statement))
    bench = {
      library: open,
      intents: (orderingKey) =>
        rows(`SELECT id::text, operation, outbox.payload_of(format, operation, payload, enqueued_at)::text AS payload,
                ordering_key, destination, lane, priority, on_ambiguous,
                (extract(epoch FROM send_after) * 1000)::text AS send_after,
                (extract(epoch FROM expires_at) * 1000)::text AS expires_at
         FROM outbox.intents WHERE ordering_key = '${orderingKey}' ORDER BY seq`),
      orders: async () => (await rows('SELECT id FROM orders ORDER BY id')).map(({ id }) => id),
      countIntents: async () =>
        Number((await rows('SELECT count(*)::int AS count FROM outbox.intents'))[0]?.count),
      reset: async () => void (await rows(EMPTY)),
    }
    await rows('CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY)')
    await bench.reset()
  })
  afterAll(() => bench?.library.close())
  return () => bench
}

/** Thrown inside a savepoint to roll back to it. */
export class TakeBack extends Error {}

/** Runs `work` under a savepoint and rolls back to it, with the library's own savepoints if it has some. */
export async function takenBack(app: AppTransaction, work: (tx: AppTransaction['tx']) => Promise<void>) {
  const inner = async (tx: AppTransaction['tx']) => {
    await work(tx)
    throw new TakeBack()
  }
  try {
    if (app.nested) await app.nested(inner)
    else {
      await app.run('SAVEPOINT app')
      await inner(app.tx)
    }
  } catch (error) {
    if (!(error instanceof TakeBack)) throw error
    if (!app.nested) await app.run('ROLLBACK TO SAVEPOINT app')
  }
}
