import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { Connections } from '../../store/connection/connection.ts'
import type { Names } from '../../store/names.ts'
import { backoffMs } from '../timing/backoff.ts'
import { within } from '../timing/within.ts'

export interface ListenerOptions {
  readonly connectionString: string
  readonly names: Names
  /**
   * Notifies on another connection than the one that listens. Resolves with false if nothing was sent: the server's queue of
   * notifications is too full.
   */
  readonly notify: (channel: string, payload: string) => Promise<boolean>
  readonly onNotification: (notification: Notification) => void
  /** Notifications arrive from now on. */
  readonly onListening: () => void
  /** A connection that listened broke, or received nothing any more. The listener makes another one. */
  readonly onBroken: (error: Error) => void
  /** Notifications do not arrive. Called after each failed try; the relay polls meanwhile. */
  readonly onNotListening: (reason: NotListeningReason, error: Error) => void
}

/** A breaker has changed, an operator has requested an action, or a commit has brought work. */
export type Notification =
  | 'breaker'
  | 'action'
  | {
      /** The `laneKey` of the lane; undefined if the commit wrote to several. */
      readonly lane: string | undefined
      /** The process id of the session that committed. */
      readonly session: number
    }

/**
 * Why no notification arrives.
 *
 * - `undelivered`: LISTEN succeeds and nothing arrives, as through a pooler in transaction mode.
 * - `refused`: the server refuses LISTEN.
 * - `unreachable`: there is no connection.
 * - `queue_full`: the server's queue of notifications is more than half full. No notification is sent until the queue is
 *   shorter.
 */
export type NotListeningReason = 'undelivered' | 'refused' | 'unreachable' | 'queue_full'

/** Milliseconds between two checks of a connection that listens. A half-open connection reports no error by itself. */
const CHECK_MS = 10_000
/** Milliseconds between two checks while the queue of notifications is too full to send one. */
const FULL_CHECK_MS = 2_000
const ANSWER_MS = 5_000
const RETRY_MS = { first: 200, max: 10_000 }
/**
 * Longer delays, for a LISTEN that is refused or delivers nothing. A pooler will hardly deliver soon, and each try may leave
 * a LISTEN in one of its connections.
 */
const UNDELIVERED_RETRY_MS = { first: 2_000, max: 300_000 }
/** The longest time, in milliseconds, that `start` waits for the first check: a relay that does not listen polls. */
const START_MS = 1_000

class UndeliveredError extends Error {}

interface ListenConnection {
  readonly client: pg.Client
  readonly connections: Connections
}

/**
 * Listens for notifications on a connection of its own. They are hints only: a relay that does not listen polls.
 *
 * LISTEN succeeds on connections that deliver nothing. So the listener verifies delivery: it sends a notification from another
 * connection to a channel of its own, at the start and every 10 s.
 */
export class Listener {
  readonly #options: ListenerOptions
  /** The channel of the checks. */
  readonly #echo: string
  #connection: ListenConnection | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #isListening = false
  #isQueueFull = false
  #isStopped = false

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#echo = `${options.names.channel}:${randomBytes(4).toString('hex')}`
  }

  /** Whether the last check succeeded, and the connection has not broken since. */
  get isListening(): boolean {
    return this.#isListening
  }

  async start(): Promise<void> {
    await within(START_MS, this.#connect())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#isListening = false
    clearTimeout(this.#timer)
    await this.#connection?.connections.close(this.#connection.client.end())
  }

  async #connect(): Promise<void> {
    const connections = new Connections({
      connectionString: this.#options.connectionString,
      applicationName: 'customerio-outbox relay wake-up',
      connectTimeoutMs: ANSWER_MS,
      queryTimeoutMs: ANSWER_MS,
    })
    const client = new pg.Client(connections.config)
    const connection = { client, connections }
    this.#connection = connection
    client.on('error', (error) => this.#reconnect(connection, error))
    client.on('notification', ({ channel, payload, processId }) => {
      if (channel === this.#echo) return
      this.#options.onNotification(
        payload === 'breaker' || payload === 'action'
          ? payload
          : { lane: payload || undefined, session: processId },
      )
    })
    try {
      await client.connect()
      // The channel of the checks comes before the shared one: a pooler may keep a LISTEN in a connection that other clients
      // use next.
      await client.query(`LISTEN "${this.#echo}"`)
      await this.#check(connection)
    } catch (error) {
      this.#reconnect(connection, error as Error)
      return
    }
    if (connection === this.#connection && !this.#isStopped) this.#checkLater(connection)
  }

  #checkLater(connection: ListenConnection): void {
    this.#timer = setTimeout(
      () => {
        this.#check(connection).then(
          () => !this.#isStopped && connection === this.#connection && this.#checkLater(connection),
          (error: Error) => this.#reconnect(connection, error),
        )
      },
      this.#isQueueFull ? FULL_CHECK_MS : CHECK_MS,
    )
  }

  /** Verifies that a notification arrives. Throws if the listener must make another connection. */
  async #check(connection: ListenConnection): Promise<void> {
    const { client } = connection
    const outcome = await this.#verify(client)
    if (outcome === 'undelivered') throw undeliveredError(this.#isListening)
    this.#isQueueFull = outcome === 'queue full'
    if (this.#isQueueFull) {
      await client.query('SELECT 1') // throws if the connection is broken as well
      this.#isListening = false
      this.#options.onNotListening('queue_full', new Error(QUEUE_FULL))
      return
    }
    if (this.#isListening) return
    await client.query(`LISTEN "${this.#options.names.channel}"`)
    if (connection !== this.#connection || this.#isStopped) return
    this.#isListening = true
    this.#failures = 0
    this.#options.onListening()
    this.#options.onNotification('breaker') // notifications may have been missed meanwhile
  }

  /**
   * Sends a notification and waits for it. Throws if it could not be sent: then nothing is known of the connection that
   * listens.
   */
  async #verify(client: pg.Client): Promise<'delivered' | 'undelivered' | 'queue full'> {
    const { promise: delivered, resolve } = Promise.withResolvers<'delivered'>()
    const payload = randomBytes(8).toString('hex')
    const onNotification = (notification: pg.Notification) => {
      if (notification.channel === this.#echo && notification.payload === payload) resolve('delivered')
    }
    client.on('notification', onNotification)
    try {
      const isSent = await within(
        ANSWER_MS,
        this.#options.notify(this.#echo, payload).catch(falseIfQueueFull),
      )
      if (isSent === undefined) {
        throw new Error(`no notification could be sent within ${ANSWER_MS / 1_000} s`)
      }
      if (!isSent) return 'queue full'
      return (await within(ANSWER_MS, delivered)) ?? 'undelivered'
    } finally {
      client.off('notification', onNotification)
    }
  }

  #reconnect(connection: ListenConnection, error: Error): void {
    if (this.#isStopped || connection !== this.#connection) return
    this.#connection = undefined
    clearTimeout(this.#timer)
    const reason = reasonOf(error)
    void this.#close(connection, reason)
    this.#failures++
    if (this.#isListening) this.#options.onBroken(error)
    else this.#options.onNotListening(reason, error)
    this.#isListening = false
    const delays = reason === 'unreachable' ? RETRY_MS : UNDELIVERED_RETRY_MS
    this.#timer = setTimeout(() => void this.#connect(), backoffMs(this.#failures, delays))
  }

  /**
   * Closes a connection. If nothing was delivered, ends its LISTEN before: a pooler may have kept it in a connection that
   * other clients use next.
   */
  async #close({ client, connections }: ListenConnection, reason: NotListeningReason): Promise<void> {
    const unlistened = reason === 'undelivered' ? client.query(`UNLISTEN "${this.#echo}"`) : Promise.resolve()
    await connections.close(unlistened.catch(() => {}).then(() => client.end()))
  }
}

const QUEUE_FULL = "the server's queue of notifications is more than half full"
const PROGRAM_LIMIT_EXCEEDED = '54000'

/**
 * False if the notification failed because the queue filled up between the check of its size and the commit. Throws other
 * errors.
 */
function falseIfQueueFull(error: Error & { code?: unknown }): false {
  if (error.code === PROGRAM_LIMIT_EXCEEDED) return false
  throw error
}

function undeliveredError(wasListening: boolean): Error {
  return wasListening
    ? new Error('the LISTEN connection receives no notifications: reconnecting')
    : new UndeliveredError('LISTEN succeeds, but no notification arrives')
}

function reasonOf(error: Error & { code?: unknown }): NotListeningReason {
  if (error instanceof UndeliveredError) return 'undelivered'
  const { code = '' } = error
  // Classes of SQLSTATE. 25: LISTEN is not allowed during recovery or in this transaction. 42: the role has no right. 0A: the
  // server has no LISTEN.
  return typeof code === 'string' && /^(25|42|0A)/.test(code) ? 'refused' : 'unreachable'
}
