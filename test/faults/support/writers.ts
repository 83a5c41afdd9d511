import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createOutbox, type Intent } from '../../../src/index.ts'
import type { Ledger } from './shop.ts'

/** One intent of a transaction. */
export interface Step {
  readonly person: string
  /** Written under a savepoint, and taken back by ROLLBACK TO SAVEPOINT. */
  readonly undone?: boolean
  /** `identify` carries no id at Customer.io; `track` does. Default: `track`. */
  readonly operation?: 'track' | 'identify'
}

export interface Transaction {
  readonly steps: readonly Step[]
  /** Default: `commit`. */
  readonly end?: 'commit' | 'rollback'
  /** Awaited when everything is written, before the end: the transaction stays open meanwhile. */
  readonly hold?: () => Promise<unknown>
}

export type Outcome = 'committed' | 'rolled back' | 'unknown'

export interface WriterOptions {
  readonly connectionString: string
  /** Begins every ref, and names the sessions. One of its own for each writer. */
  readonly name: string
  readonly ledger: Ledger
  readonly schema?: string
}

/** How long a server that restarts is waited for. */
const RECONNECT_WITHIN_MS = 60_000

interface Mark extends Step {
  readonly ref: string
  readonly position: number
}

/**
 * An app's connection: transactions one after the other, each with its business rows and its intents. People belong to
 * one writer at a time, so that the transactions of a person never overlap and commit order is well defined.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #outbox
  readonly #places = new Map<string, number>()
  #client: pg.Client | undefined
  #sessions = 0
  #refs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#outbox = createOutbox({ schema: options.schema })
  }

  /**
   * One transaction. What was committed is entered only when COMMIT has been answered; a lost connection before it means
   * rolled back, during it unknown. The next transaction begins when the lost session has gone from the server.
   *
   * @throws what the database refuses for another reason than a lost connection.
   */
  async transact({ steps, end = 'commit', hold }: Transaction): Promise<Outcome> {
    const { ledger } = this.#options
    const client = await this.#connect()
    const marks = steps.map((step) => this.#mark(step))
    ledger.enter('rolledBack', refsOf(marks.filter(({ undone }) => undone)))
    const kept = refsOf(marks.filter(({ undone }) => !undone))
    let asked = false
    try {
      await client.query('BEGIN')
      for (const run of runsOf(marks)) await this.#write(client, run)
      await hold?.()
      if (end === 'rollback') {
        await client.query('ROLLBACK')
        ledger.enter('rolledBack', kept)
        return 'rolled back'
      }
      asked = true
      const { command } = await client.query('COMMIT')
      if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`)
      ledger.enter('acknowledged', kept)
      return 'committed'
    } catch (error) {
      await this.close()
      if (!isLostConnection(error)) throw error
      ledger.enter(asked ? 'unknown' : 'rolledBack', kept)
      return asked ? 'unknown' : 'rolled back'
    }
  }

  /** Ends the connection; the next transaction opens another. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => {}) // it is lost already
  }

  #mark(step: Step): Mark {
    const position = (this.#places.get(step.person) ?? 0) + 1
    this.#places.set(step.person, position)
    return { ...step, position, ref: `${this.#options.name}-${++this.#refs}` }
  }

  async #write(client: pg.Client, run: readonly Mark[]): Promise<void> {
    const undone = run[0]?.undone === true
    if (undone) await client.query('SAVEPOINT app')
    const results = await this.#outbox.enqueue(client, run.map(intentOf))
    await client.query(
      `INSERT INTO shop.orders (ref, person, position, id, is_event)
       SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::uuid[], $5::boolean[])`,
      [
        refsOf(run),
        run.map(({ person }) => person),
        run.map(({ position }) => position),
        results.map(({ id }) => id),
        run.map(({ operation }) => operation !== 'identify'),
      ],
    )
    if (undone) await client.query('ROLLBACK TO SAVEPOINT app')
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client) return this.#client
    const deadline = performance.now() + RECONNECT_WITHIN_MS
    for (;;) {
      try {
        return await this.#open()
      } catch (error) {
        if (performance.now() > deadline) throw error
        await delay(50)
      }
    }
  }

  /** Nothing of the session before is left behind it: neither an open transaction nor a COMMIT under way. */
  async #open(): Promise<pg.Client> {
    const name = (session: number) => `writer ${this.#options.name}/${session}`
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: name(this.#sessions + 1),
      connectionTimeoutMillis: 5_000,
    })
    client.on('error', () => {}) // the next statement says it
    try {
      await client.connect()
      while (await isThere(client, name(this.#sessions))) await delay(10)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    this.#sessions++
    this.#client = client
    return client
  }
}

async function isThere(client: pg.Client, session: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [
    session,
  ])
  return (rowCount ?? 0) > 0
}

function intentOf({ ref, person, position, operation = 'track' }: Mark): Intent {
  const fields = { ref, n: position }
  return operation === 'track'
    ? { operation, customerId: person, name: 'step', data: fields }
    : { operation, customerId: person, attributes: fields }
}

function refsOf(marks: readonly Mark[]): string[] {
  return marks.map(({ ref }) => ref)
}

/** Neighbours that share their fate are written together. */
function runsOf(marks: readonly Mark[]): Mark[][] {
  const runs: Mark[][] = []
  for (const mark of marks) {
    const last = runs.at(-1)
    if (last && last[0]?.undone === mark.undone) last.push(mark)
    else runs.push([mark])
  }
  return runs
}

/** Classes 08 (connection) and 57 (the server ends it, or does not take any); or no word of the server at all. */
function isLostConnection(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(08|57)/.test(error.code ?? '')
  const { code = '', message = '' } = error as NodeJS.ErrnoException
  return /^(ECONN|EPIPE|ETIMEDOUT)/.test(code) || /[Cc]onnection|not queryable/.test(message)
}
