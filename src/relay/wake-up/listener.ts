import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { Connections } from '../../store/connection/connection.ts'
import type { Names } from '../../store/names.ts'
import { backoffMs } from '../timing/backoff.ts'

export interface ListenerOptions {
  readonly connectionString: string
  readonly names: Names
  /** Notifies on another connection than the one that listens; false: the server's queue is too full for it. */
  readonly notify: (channel: string, payload: string) => Promise<boolean>
  readonly onNotification: (news: Notification) => void
  /** From now on notifications are heard. */
  readonly onListening: () => void
  /** A connection that was heard on broke, or fell silent; another is made at once. */
  readonly onBroken: (error: Error) => void
  /** They are not heard, again and again; it is tried again, and polling goes on meanwhile. */
  readonly onNotListening: (reason: NotListeningReason, error: Error) => void
}

/** A breaker has changed; or a commit of the session `from` has brought work to one lane (its `laneKey`), or to several. */
export type Notification = 'breaker' | { readonly lane: string | undefined; readonly from: number }

/**
 * `unheard`: LISTEN succeeds and nothing comes, as through a pooler in transaction mode. `refused`: the server does
 * not take it. `unreachable`: there is no connection. `queue_full`: the server's queue of notifications is more than half
 * full, and none is sent until it is not.
 */
export type NotListeningReason = 'unheard' | 'refused' | 'unreachable' | 'queue_full'

/** Between proofs that a notification arrives. A half-open connection says nothing by itself. */
const CHECK_MS = 10_000
/** The same while the queue is too full to send one. */
const FULL_CHECK_MS = 2_000
const ANSWER_MS = 5_000
const RETRY_MS = { first: 200, max: 10_000 }
/** What was never heard will hardly be heard soon, and each try leaves a LISTEN in the pooler's connection. */
const UNHEARD_RETRY_MS = { first: 2_000, max: 300_000 }
/** `start` does not wait longer for the first proof: a relay that hears nothing polls. */
const START_MS = 1_000

class UnheardError extends Error {}

interface ListenConnection {
  readonly client: pg.Client
  readonly connections: Connections
}

/**
 * Listens for wake-ups on a connection of its own. Only a hint: a relay that hears nothing polls. That it hears is
 * proved by what it is for: a notification that another connection sends to a channel of this relay's own.
 */
export class Listener {
  readonly #options: ListenerOptions
  readonly #echo: string
  #listener: ListenConnection | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #hears = false
  #queueIsFull = false
  #stopped = false

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#echo = `${options.names.channel}:${randomBytes(4).toString('hex')}`
  }

  /** Whether the last proof succeeded, and the connection has not broken since. */
  get isListening(): boolean {
    return this.#hears
  }

  async start(): Promise<void> {
    await within(START_MS, this.#try())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#hears = false
    clearTimeout(this.#timer)
    await this.#listener?.connections.close(this.#listener.client.end())
  }

  async #try(): Promise<void> {
    const connections = new Connections({
      connectionString: this.#options.connectionString,
      applicationName: 'customerio-outbox relay wake-up',
      connectTimeoutMs: ANSWER_MS,
      queryTimeoutMs: ANSWER_MS,
    })
    const client = new pg.Client(connections.config)
    const listener = { client, connections }
    this.#listener = listener
    client.on('error', (error) => this.#broken(listener, error))
    client.on('notification', ({ channel, payload, processId }) => {
      if (channel === this.#echo) return
      this.#options.onNotification(
        payload === 'breaker' ? payload : { lane: payload || undefined, from: processId },
      )
    })
    try {
      await client.connect()
      await client.query(`LISTEN "${this.#echo}"`)
      await this.#check(listener)
    } catch (error) {
      this.#broken(listener, error as Error)
      return
    }
    if (listener === this.#listener && !this.#stopped) this.#checkLater(listener)
  }

  #checkLater(listener: ListenConnection): void {
    this.#timer = setTimeout(
      () => {
        this.#check(listener).then(
          () => !this.#stopped && listener === this.#listener && this.#checkLater(listener),
          (error: Error) => this.#broken(listener, error),
        )
      },
      this.#queueIsFull ? FULL_CHECK_MS : CHECK_MS,
    )
  }

  /** Proves that a notification arrives. Throws if another connection is to be made. */
  async #check(listener: ListenConnection): Promise<void> {
    const { client } = listener
    const outcome = await this.#prove(client)
    if (outcome === 'unheard') throw silence(this.#hears)
    this.#queueIsFull = outcome === 'queue full'
    if (this.#queueIsFull) {
      await client.query('SELECT 1') // the connection may be good all the same
      this.#hears = false
      this.#options.onNotListening('queue_full', new Error(QUEUE_FULL))
      return
    }
    if (this.#hears) return
    await client.query(`LISTEN "${this.#options.names.channel}"`)
    if (listener !== this.#listener || this.#stopped) return
    this.#hears = true
    this.#failures = 0
    this.#options.onListening()
    this.#options.onNotification('breaker') // whatever was missed meanwhile
  }

  /** Throws if no notification could be sent: until one can, nothing proves that the connection hears. */
  async #prove(client: pg.Client): Promise<'heard' | 'unheard' | 'queue full'> {
    const { promise: heard, resolve } = Promise.withResolvers<'heard'>()
    const payload = randomBytes(8).toString('hex')
    const onNotification = (notification: pg.Notification) => {
      if (notification.channel === this.#echo && notification.payload === payload) resolve('heard')
    }
    client.on('notification', onNotification)
    try {
      const sent = await within(ANSWER_MS, this.#options.notify(this.#echo, payload).catch(fullOrThrow))
      if (sent === undefined) throw new Error(`no notification could be sent within ${ANSWER_MS / 1_000} s`)
      if (!sent) return 'queue full'
      return (await within(ANSWER_MS, heard)) ?? 'unheard'
    } finally {
      client.off('notification', onNotification)
    }
  }

  #broken(listener: ListenConnection, error: Error): void {
    if (this.#stopped || listener !== this.#listener) return
    this.#listener = undefined
    clearTimeout(this.#timer)
    const reason = reasonOf(error)
    void this.#leave(listener, reason)
    this.#failures++
    if (this.#hears) this.#options.onBroken(error)
    else this.#options.onNotListening(reason, error)
    this.#hears = false
    const { first, max } = reason === 'unreachable' ? RETRY_MS : UNHEARD_RETRY_MS
    this.#timer = setTimeout(() => void this.#try(), backoffMs(this.#failures, first, max))
  }

  /** A pooler may have kept the LISTEN in a connection that others use after us. */
  async #leave({ client, connections }: ListenConnection, reason: NotListeningReason): Promise<void> {
    const goodbye = reason === 'unheard' ? client.query(`UNLISTEN "${this.#echo}"`) : Promise.resolve()
    await connections.close(goodbye.catch(() => {}).then(() => client.end()))
  }
}

const QUEUE_FULL = "the server's queue of notifications is more than half full"
const PROGRAM_LIMIT_EXCEEDED = '54000'

/** The queue was filled between the check and the commit. */
function fullOrThrow(error: Error & { code?: unknown }): false {
  if (error.code === PROGRAM_LIMIT_EXCEEDED) return false
  throw error
}

function silence(hasHeard: boolean): Error {
  return hasHeard
    ? new Error('the connection for wake-ups fell silent, another is made')
    : new UnheardError('LISTEN is taken, and what is sent does not come')
}

/** What the promise gives, or undefined where it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(error: Error & { code?: unknown }): NotListeningReason {
  if (error instanceof UnheardError) return 'unheard'
  const { code = '' } = error
  // 25: not in recovery, not in such a transaction. 42: no right to. 0A: not a feature of this server.
  return typeof code === 'string' && /^(25|42|0A)/.test(code) ? 'refused' : 'unreachable'
}
