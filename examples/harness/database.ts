import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A row of an example's table `orders`. */
export interface StoredOrder {
  readonly id: string
  readonly userId: string
  readonly total: number
}

/** The database of one example, as an observer from outside sees it. */
export class ExampleDatabase implements AsyncDisposable {
  readonly url: string
  readonly #serverUrl: string
  readonly #name: string
  readonly #pool: pg.Pool

  private constructor(serverUrl: string, name: string) {
    const url = new URL(serverUrl)
    url.pathname = `/${name}`
    this.url = url.toString()
    this.#serverUrl = serverUrl
    this.#name = name
    this.#pool = new pg.Pool({ connectionString: this.url, max: 2 })
    this.#pool.on('error', () => {}) // the next statement reports it
  }

  static async create(serverUrl: string, example: string): Promise<ExampleDatabase> {
    const name = `example_${example.replaceAll('-', '_')}_${randomBytes(4).toString('hex')}`
    await onServer(serverUrl, `CREATE DATABASE "${name}" TEMPLATE template0 ENCODING 'UTF8'`)
    return new ExampleDatabase(serverUrl, name)
  }

  /** The committed orders, in the order of the column `number`, if the table has one. */
  async orders(): Promise<StoredOrder[]> {
    const { rows } = await this.#pool.query<{ row: Record<string, string | number> }>(
      `SELECT to_jsonb(o) AS row FROM orders o ORDER BY to_jsonb(o) -> 'number'`,
    )
    return rows.map(({ row }) => ({
      id: String(row.id),
      userId: String(row.user_id ?? row.userId),
      total: Number(row.total),
    }))
  }

  /** Whether the table `orders` has a column `number`, by which a script asks for a judgement of its rows. */
  async hasNumberedOrders(): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `SELECT FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'number'`,
    )
    return rowCount === 1
  }

  /** What the outbox holds: intents that wait, and dead letters. */
  async queued(): Promise<{ waiting: number; deadLetters: number }> {
    const { rows } = await this.#pool.query(
      `SELECT (SELECT count(*)::int FROM outbox.intents) AS waiting,
              (SELECT count(*)::int FROM outbox.dead_letters) AS "deadLetters"`,
    )
    return rows[0]
  }

  /** Whether the breaker of the Track API is not closed. */
  async isBreakerOpen(): Promise<boolean> {
    const { rows } = await this.#pool.query(
      `SELECT state FROM outbox.breaker_state WHERE destination = 'default/track' AND state <> 'closed'`,
    )
    return rows.length > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end()
    await onServer(this.#serverUrl, `DROP DATABASE "${this.#name}" WITH (FORCE)`)
  }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
