import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { removeRelay } from '../../../store/fleet/relay-registry.ts'
import type { Names } from '../../../store/names.ts'
import type { FakeCustomerIo } from '../../../testing/fake/fake-customerio.ts'
import { keepSecret } from '../../output/redact.ts'
import { type LogEntry, RelayProcess } from './relay-process.ts'

export interface FleetOptions {
  readonly names: Names
  readonly pool: pg.Pool
  readonly databaseUrl: string
  readonly fake: FakeCustomerIo
  readonly onLog: (entry: LogEntry) => void
  /** A relay ended, and the demo had not asked for it. */
  readonly onDeath: (error: Error) => void
}

const NAMES = ['relay A', 'relay B'] as const

/** By default a relay waits 30 s before its first probe, then longer: too long for an outage of 10 s. */
const FLAGS = ['--breaker-half-open-after', '1', '--breaker-max-half-open-after', '2', '--no-check-region']

/** The demo's two relay processes, and those that replaced a killed one. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #environment: Readonly<Record<string, string>>
  /** The process that now has each name. */
  readonly #current = new Map<string, RelayProcess>()
  readonly #all: RelayProcess[] = []

  constructor(options: FleetOptions) {
    this.#options = options
    const { fake, databaseUrl, names } = options
    const key = randomBytes(12).toString('hex')
    keepSecret(key)
    fake.credentials = { siteId: 'demo', apiKey: key }
    this.#environment = {
      DATABASE_URL: databaseUrl,
      OUTBOX_SCHEMA: names.schema,
      CUSTOMERIO_SITE_ID: 'demo',
      CUSTOMERIO_TRACK_API_KEY: key,
      CUSTOMERIO_TRACK_URL: fake.url,
      CUSTOMERIO_REGION: 'us',
      LOG_LEVEL: 'info',
      // The demo's own environment may set these for another relay.
      OUTBOX_CONFIG: '',
      OUTBOX_LISTEN_URL: '',
      CUSTOMERIO_APP_API_KEY: '',
      CUSTOMERIO_PIPELINES_WRITE_KEY: '',
    }
  }

  /** How many relays the fleet should have. */
  get size(): number {
    return NAMES.length
  }

  /** Relays that take part: started, and not ended. */
  get alive(): number {
    return this.#relays.filter(({ isAlive, relayId }) => isAlive && relayId !== undefined).length
  }

  /** Replacements of killed relays that have started. */
  get restarts(): number {
    return this.#all.filter(({ relayId }) => relayId !== undefined).length - NAMES.length
  }

  /** Starts both relays; resolves when both take part. */
  async start(): Promise<void> {
    await Promise.all(NAMES.map((name) => this.restart(name)))
  }

  /** Starts a process under this name, the first or one after an ended one. Resolves when it takes part. */
  async restart(name: string): Promise<void> {
    const { onLog, onDeath } = this.#options
    const relay = new RelayProcess({ name, environment: this.#environment, args: FLAGS, onLog, onDeath })
    this.#current.set(name, relay)
    this.#all.push(relay)
    await relay.started()
  }

  /** The name of the living relay with this id. */
  nameOf(relayId: string): string | undefined {
    return this.#relays.find((relay) => relay.isAlive && relay.relayId === relayId)?.name
  }

  /** Kills the relay of this name by SIGKILL; resolves with its id when the process has ended. */
  async kill(name: string): Promise<string | undefined> {
    const relay = this.#current.get(name)
    relay?.kill()
    await relay?.ended()
    return relay?.relayId
  }

  /** Stops the living relays by SIGTERM; resolves with a sentence for each that did not exit with status 0. */
  async stop(): Promise<string[]> {
    const living = this.#relays.filter((relay) => relay.isAlive)
    const statuses = await Promise.all(living.map((relay) => relay.stop()))
    return living.flatMap(({ name }, index) =>
      statuses[index] === 0 ? [] : [`${name} ended with status ${statuses[index]} after SIGTERM`],
    )
  }

  killAll(): void {
    for (const relay of this.#all) relay.kill()
  }

  /**
   * Kills every process and deletes the relays' rows. The views would count a killed relay as alive for 30 s, and the
   * next demo would take it for a relay of an app.
   */
  async close(): Promise<void> {
    this.killAll()
    await Promise.all(this.#all.map((relay) => relay.ended()))
    const { names, pool } = this.#options
    const db = {
      names,
      query: async <Row>(text: string, values: readonly unknown[] = []) =>
        (await pool.query(text, [...values])).rows as Row[],
    }
    for (const { relayId } of this.#all) if (relayId !== undefined) await removeRelay(db, relayId)
  }

  get #relays(): readonly RelayProcess[] {
    return [...this.#current.values()]
  }
}
