import { Socket } from 'node:net'
import type pg from 'pg'

export interface ConnectionOptions {
  readonly connectionString: string
  /** As `pg_stat_activity` shows it. */
  readonly applicationName: string
  /** Milliseconds that a connection may take to be made, or to come free in a pool. Default: 10,000. */
  readonly connectTimeoutMs?: number
  /** Milliseconds that an answer may take. Default: 20,000, which ends before a relay that is told to stop must. */
  readonly queryTimeoutMs?: number
}

/**
 * How every connection to the database is made. A peer that is gone without a word (a cable, a NAT entry) never
 * answers and never ends a connection: an answer has a deadline, the kernel probes an idle connection, and `destroy`
 * ends what a goodbye cannot.
 *
 * No setting is a startup parameter or a `SET`: PgBouncer refuses the one, and hands the other on to strangers.
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
      keepAliveInitialDelayMillis: 10_000, // the system's own first probe is after two hours
      stream: () => this.#socket(),
    } satisfies pg.ClientConfig
  }

  #socket(): Socket {
    const socket = new Socket()
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }

  /** Waits for `end`, which says goodbye on every connection, and no longer than a living server needs for it. */
  async close(end: Promise<unknown>, withinMs = GOODBYE_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, withinMs)
    })
    await Promise.race([end.catch(() => {}), late]) // what is broken already is closed too
    clearTimeout(timer)
    this.destroy()
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

const GOODBYE_MS = 2_000
