import { Socket } from 'node:net'
import type pg from 'pg'

export interface ConnectionOptions {
  readonly connectionString: string
  /** As `pg_stat_activity` shows it. */
  readonly applicationName: string
  /** Milliseconds to open a connection, or to wait for a free one in a pool. Default: 10,000. */
  readonly connectTimeoutMs?: number
  /** Milliseconds to wait for an answer. Default: 20,000, which is shorter than the relay's shutdown grace period. */
  readonly queryTimeoutMs?: number
}

/**
 * The configuration of every connection to the database. A peer that disappears (a pulled cable, a lost NAT entry) never
 * answers and never closes the connection. So an answer has a deadline, the kernel probes idle connections, and `destroy`
 * closes sockets without the protocol's goodbye.
 *
 * Apart from `application_name`, no setting is a startup parameter or a `SET`. PgBouncer refuses most startup parameters, and
 * other clients would share the effect of a `SET`.
 */
export class Connections {
  readonly #sockets = new Set<Socket>()
  /** For `pg.Client`, `pg.Pool` and pg-boss alike. */
  readonly config

  constructor(options: ConnectionOptions) {
    this.config = {
      connectionString: options.connectionString,
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
      query_timeout: options.queryTimeoutMs ?? 20_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000, // the default of the system is two hours
      stream: () => this.#socket(),
    } satisfies pg.ClientConfig
  }

  #socket(): Socket {
    const socket = new Socket()
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }

  /**
   * Waits for `end`, which closes every connection, for at most `withinMs`. Then destroys the connections that are left. The
   * default is longer than a healthy server needs.
   */
  async close(end: Promise<unknown>, withinMs = CLOSE_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, withinMs)
    })
    await Promise.race([end.catch(() => {}), late]) // a broken connection is closed too
    clearTimeout(timer)
    this.destroy()
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

const CLOSE_MS = 2_000
