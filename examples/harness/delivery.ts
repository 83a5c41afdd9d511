import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExampleDatabase } from './database.ts'
import { type Example, REPOSITORY } from './example.ts'
import { Program, type ProgramOptions } from './program.ts'

/** What delivers the intents of an example: the package's relay, or the example's own job. */
export interface Delivery {
  start(): Promise<void>
  /** Delivers what is left, and stops. */
  stop(): Promise<void>
  /** Ends what still runs. */
  kill(): void
}

/** By default a relay waits 30 s before its first probe. The outage of a test is shorter. */
const RELAY = `node "${path.join(REPOSITORY, 'dist/cli/main.js')}" relay --drain --no-check-region --breaker-half-open-after 1 --breaker-max-half-open-after 2`
const JOB_MS = 60_000
const JOB_EVERY_MS = 1_000
const DELIVERED_WITHIN_MS = 120_000

export function deliveryOf(example: Example, database: ExampleDatabase, options: ProgramOptions): Delivery {
  return example.hasDeliverJob ? new Job(database, options) : new RelayProcess(options)
}

/** `customerio-outbox relay`, as in production. */
class RelayProcess implements Delivery {
  readonly #options: ProgramOptions
  #program: Program | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#program = new Program(`exec ${RELAY}`, this.#options)
  }

  async stop(): Promise<void> {
    await this.#program?.stop()
    const status = this.#program?.status ?? 0
    if (status !== 0)
      throw new Error(`Expected the relay to end with status 0, got ${status}: ${this.#program?.output}`)
  }

  kill(): void {
    this.#program?.kill('SIGKILL')
  }
}

/** The script `deliver` of the example, run again and again as cron would, until nothing waits. */
class Job implements Delivery {
  readonly #database: ExampleDatabase
  readonly #options: ProgramOptions
  readonly #stopping = new AbortController()
  #program: Program | undefined
  #runs: Promise<void> | undefined

  constructor(database: ExampleDatabase, options: ProgramOptions) {
    this.#database = database
    this.#options = options
  }

  async start(): Promise<void> {
    this.#runs = this.#run()
    this.#runs.catch(() => {}) // stop() reports it
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#runs
  }

  kill(): void {
    this.#stopping.abort()
    this.#program?.kill('SIGKILL')
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    for (const begin = performance.now(); ; ) {
      this.#program = new Program('npm run --silent deliver', this.#options)
      await this.#program.succeeded(JOB_MS)
      if (signal.aborted && (await this.#database.queued()).waiting === 0) return
      if (performance.now() - begin > DELIVERED_WITHIN_MS)
        throw new Error('Expected the job to deliver the backlog within 120 s')
      await delay(JOB_EVERY_MS, undefined, { signal }).catch(() => {}) // the last run follows at once
    }
  }
}
