import pg from 'pg'
import type { Names } from '../store/names.ts'

export interface WakeUpOptions {
  readonly connectionString: string
  readonly names: Names
  /** `breaker` when a breaker changed, `work` for everything else. */
  readonly onNotification: (kind: 'work' | 'breaker') => void
  /** The connection broke, or could not be made; it is tried again, and polling goes on meanwhile. */
  readonly onError: (error: Error) => void
}

/** Seconds between looks at the connection: a half-open one says nothing by itself. */
const CHECK_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000
const RECONNECT_MS = { first: 200, max: 10_000 }

/** Listens for wake-ups on a connection of its own. Only a hint: a relay that hears nothing polls. */
export class WakeUp {
  readonly #options: WakeUpOptions
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #delay = RECONNECT_MS.first
  #stopped = false

  constructor(options: WakeUpOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      this.#broken(error as Error)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#client?.end().catch(() => {}) // it is going away either way
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: 'customerio-outbox relay wake-up',
      connectionTimeoutMillis: CHECK_TIMEOUT_MS,
      query_timeout: CHECK_TIMEOUT_MS,
      keepAlive: true,
    })
    client.on('error', (error) => this.#broken(error, client))
    client.on('notification', ({ payload }) =>
      this.#options.onNotification(payload === 'breaker' ? 'breaker' : 'work'),
    )
    this.#client = client
    await client.connect()
    await client.query(`LISTEN "${this.#options.names.channel}"`)
    this.#delay = RECONNECT_MS.first
    this.#options.onNotification('breaker') // whatever was missed meanwhile
    this.#check(client)
  }

  #check(client: pg.Client): void {
    this.#timer = setTimeout(() => {
      client.query('SELECT 1').then(
        () => !this.#stopped && this.#check(client),
        (error: Error) => this.#broken(error, client),
      )
    }, CHECK_MS)
  }

  #broken(error: Error, client = this.#client): void {
    if (this.#stopped || client !== this.#client) return
    this.#client = undefined
    clearTimeout(this.#timer)
    client?.end().catch(() => {}) // it is broken already
    this.#options.onError(error)
    this.#timer = setTimeout(() => void this.start(), this.#delay)
    this.#delay = Math.min(this.#delay * 2, RECONNECT_MS.max)
  }
}
