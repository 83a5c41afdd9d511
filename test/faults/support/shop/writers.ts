import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createOutbox, type Intent } from '../../../../src/index.ts'
import type { Written } from './oracle.ts'
import type { Ledger } from './shop.ts'

/** One intent of a transaction. */
export interface Step {
  readonly person: string
  /** Whether the step is rolled back to a savepoint. */
  readonly undone?: boolean
  /** Customer.io recognises a repeated `track` by its event id. It cannot recognise a repeated `identify`. Default: `track`. */
  readonly operation?: 'track' | 'identify'
}

export interface Transaction {
  readonly steps: readonly Step[]
  /** Default: `commit`. */
  readonly end?: 'commit' | 'rollback'
  /** Awaited after all statements and before the end. The transaction stays open meanwhile. */
  readonly hold?: () => Promise<unknown>
}

export type Outcome = 'committed' | 'rolled back' | 'unknown'

export interface WriterOptions {
  readonly connectionString: string
  /** Prefix of every ref, and name of the sessions. Unique per writer. */
  readonly name: string
  readonly ledger: Ledger
  readonly schema?: string
}

/** How long a writer waits for a restarting server. Milliseconds. */
const RECONNECT_WITHIN_MS = 60_000

interface Mark extends Step {
  readonly ref: string
  readonly position: number
}

/**
 * An app's connection. It runs transactions one after the other, each with business rows and intents. A person belongs to
 * one writer at a time, so the transactions of a person never overlap and their commit order is well defined.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #outbox
  /** Position of each person's last intent. */
  #places = new Map<string, number>()
  /** Position of each person's last intent that no later incident can lose. */
  #safePlaces: ReadonlyMap<string, number> = new Map()
  /** Intents whose COMMIT was sent after `#safePlaces` was set. */
  #asked: Written[] = []
  /** Refs of an unconfirmed COMMIT, until its outcome is known. */
  readonly #unsure = new Set<string>()
  #losses = 0
  #client: pg.Client | undefined
  #sessions = 0
  #refs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#outbox = createOutbox({ schema: options.schema })
  }

  /**
   * Runs one transaction. Its intents count as acknowledged only after a confirmed COMMIT. If the connection is lost before
   * COMMIT, they count as rolled back; during COMMIT, as unknown. The next transaction starts after the lost session has
   * ended at the server.
   *
   * @throws the error of the database, unless the connection was lost.
   */
  async transact({ steps, end = 'commit', hold }: Transaction): Promise<Outcome> {
    const { ledger } = this.#options
    const client = await this.#connect()
    const marks = steps.map((step) => this.#mark(step))
    ledger.enter('rolledBack', refsOf(marks.filter(({ undone }) => undone)))
    const kept = refsOf(marks.filter(({ undone }) => !undone))
    const written: Written[] = []
    let asked = false
    try {
      await client.query('BEGIN')
      for (const run of runsOf(marks)) written.push(...(await this.#write(client, run)))
      await hold?.()
      if (end === 'rollback') {
        await client.query('ROLLBACK')
        ledger.enter('rolledBack', kept)
        return 'rolled back'
      }
      asked = true
      this.#asked.push(...written)
      const { command } = await client.query('COMMIT')
      if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`)
      ledger.enter('acknowledged', kept)
      return 'committed'
    } catch (error) {
      await this.close()
      if (!isLostConnection(error)) throw error
      ledger.enter(asked ? 'unknown' : 'rolledBack', kept)
      if (asked) for (const ref of kept) this.#unsure.add(ref)
      return asked ? 'unknown' : 'rolled back'
    }
  }

  /** Resolves the outcome of every transaction so far, even after a crash or a failover that lost some. */
  async reconcile(): Promise<void> {
    await this.close()
    await this.#connect()
  }

  /** Closes the connection. The next transaction opens another. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => {}) // the connection may be lost already
  }

  #mark(step: Step): Mark {
    const position = (this.#places.get(step.person) ?? 0) + 1
    this.#places.set(step.person, position)
    return { ...step, position, ref: `${this.#options.name}-${++this.#refs}` }
  }

  /** @returns the intents that a COMMIT keeps. */
  async #write(client: pg.Client, run: readonly Mark[]): Promise<Written[]> {
    const undone = run[0]?.undone === true
    if (undone) await client.query('SAVEPOINT app')
    const results = await this.#outbox.enqueue(client, run.map(intentOf))
    const written = run.map(
      ({ ref, person, position, operation }, n): Written => ({
        ref,
        person,
        position,
        id: results[n]?.id ?? '',
        isEvent: operation !== 'identify',
      }),
    )
    await client.query(
      `INSERT INTO shop.orders (ref, person, position, id, is_event)
       SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::uuid[], $5::boolean[])`,
      [
        refsOf(written),
        written.map(({ person }) => person),
        written.map(({ position }) => position),
        written.map(({ id }) => id),
        written.map(({ isEvent }) => isEvent),
      ],
    )
    if (!undone) return written
    await client.query('ROLLBACK TO SAVEPOINT app')
    return []
  }

  /**
   * Finds out which commits in doubt the database has. After an incident that may have lost commits, the writer continues
   * after the surviving ones. A commit that survived an incident is flushed and replicated before the next incident.
   */
  async #learnWhatSurvived(client: pg.Client): Promise<void> {
    const { ledger } = this.#options
    const { losses } = ledger
    const isLossy = losses !== this.#losses
    if (!isLossy && this.#unsure.size === 0) return
    const inDoubt = isLossy ? this.#asked : this.#asked.filter(({ ref }) => this.#unsure.has(ref))
    const { rows } = await client.query<{ ref: string }>('SELECT ref FROM shop.orders WHERE ref = ANY ($1)', [
      refsOf(inDoubt),
    ])
    const survivors = new Set(rows.map(({ ref }) => ref))
    const gone = inDoubt.filter(({ ref }) => !survivors.has(ref))
    this.#unsure.clear()
    if (!isLossy) return ledger.enter('rolledBack', refsOf(gone))
    ledger.enterLost(gone)
    const places = new Map(this.#safePlaces)
    for (const { ref, person, position } of this.#asked) if (survivors.has(ref)) places.set(person, position)
    this.#places = places
    this.#safePlaces = new Map(places)
    this.#asked = []
    this.#losses = losses
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

  /** Connects after the previous session has ended, so no open transaction and no pending COMMIT of it remains. */
  async #open(): Promise<pg.Client> {
    const name = (session: number) => `writer ${this.#options.name}/${session}`
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: name(this.#sessions + 1),
      connectionTimeoutMillis: 5_000,
    })
    client.on('error', () => {}) // the next statement rejects with the same error
    try {
      await client.connect()
      while (await isThere(client, name(this.#sessions))) await delay(10)
      await this.#learnWhatSurvived(client)
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

function refsOf(marks: readonly { readonly ref: string }[]): string[] {
  return marks.map(({ ref }) => ref)
}

/** Groups consecutive steps that are either all kept or all undone, so that each group is written together. */
function runsOf(marks: readonly Mark[]): Mark[][] {
  const runs: Mark[][] = []
  for (const mark of marks) {
    const last = runs.at(-1)
    if (last && last[0]?.undone === mark.undone) last.push(mark)
    else runs.push([mark])
  }
  return runs
}

/** Whether an error has class 08 (connection) or 57 (the server ends or refuses the session), or is an error of the network or of pg. */
function isLostConnection(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(08|57)/.test(error.code ?? '')
  const { code = '', message = '' } = error as NodeJS.ErrnoException
  return /^(ECONN|EPIPE|ETIMEDOUT)/.test(code) || /[Cc]onnection|not queryable/.test(message)
}
