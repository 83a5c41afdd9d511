import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { pipe, type PipeFaults } from './tcp-pipe.ts'

/** Faults of a connection, per direction. Without faults the connection works. */
export interface Faults {
  /** From the client to the server. */
  readonly up?: PipeFaults
  readonly down?: PipeFaults
}

/** Drops all bytes in both directions without an error, like a lost NAT entry or a pulled cable. */
export const HALF_OPEN: Faults = { up: { swallow: true }, down: { swallow: true } }

/** One connection through the proxy. */
export interface ProxiedConnection {
  readonly id: number
  /** Whether the first 64 KB from the client contain `text`: a statement such as `LISTEN`, or the `application_name`. */
  mentions(text: string): boolean
  /** Sets the faults. `{}` makes the connection work again, but swallowed bytes stay lost. */
  set(faults: Faults): void
  /** Closes both sides, with a RST or with a FIN. */
  cut(how?: 'rst' | 'fin'): void
}

export interface TcpProxy {
  readonly port: number
  /** Converts a URL of a database or an HTTP origin to one through the proxy. */
  url(original: string): string
  /** The open connections. */
  readonly connections: readonly ProxiedConnection[]
  /** Number of connections accepted so far. */
  readonly accepted: number
  /** Sets the faults of the open connections that `which` selects, and returns their number. */
  set(faults: Faults, which?: (connection: ProxiedConnection) => boolean): number
  /** Cuts the open connections that `which` selects, and returns their number. */
  cut(how?: 'rst' | 'fin', which?: (connection: ProxiedConnection) => boolean): number
  /**
   * Sets the faults of future connections. A function can decide by `mentions`: it is called whenever the client has sent
   * bytes, until it returns faults. These faults already apply to the bytes of that call.
   */
  setNew(faults: Faults | ((connection: ProxiedConnection) => Faults | undefined)): void
  /** Directs future connections to this server. Open ones keep theirs. */
  lead(target: Target): void
  /** Stops listening, so new connections are refused. Open ones continue. */
  refuse(): Promise<void>
  /** Accepts connections again, and removes `setNew` and all faults of open connections. */
  restore(): Promise<void>
  /** Closes the port and every socket on both sides. */
  close(): Promise<void>
}

const REMEMBERED_BYTES = 65_536

/** A URL, or its host and port. */
export type Target = string | { readonly host: string; readonly port: number }

/** A TCP proxy in front of any `host:port` or URL: a database, a pooler, the fake Customer.io. */
export async function startTcpProxy(target: Target): Promise<TcpProxy> {
  let address = addressOf(target)
  const open = new Map<ProxiedConnection, Socket[]>()
  let faultsOfNew: Parameters<TcpProxy['setNew']>[0] = {}
  let accepted = 0
  let listening: Server | undefined

  const accept = (client: Socket) => {
    const server = connect({ ...address, allowHalfOpen: true, noDelay: true })
    client.setNoDelay(true)
    let sent = ''
    let decided = false
    const up = pipe(client, server, (chunk) => {
      if (sent.length < REMEMBERED_BYTES) sent += chunk.toString('latin1')
      if (!decided) decide()
    })
    const down = pipe(server, client)
    const connection: ProxiedConnection = {
      id: ++accepted,
      mentions: (text) => sent.includes(text),
      set: (faults) => {
        decided = true
        up.set(faults.up ?? {})
        down.set(faults.down ?? {})
        // Forward an end that a fault has swallowed.
        if (client.destroyed && !up.swallows) server.destroySoon()
        if (server.destroyed && !down.swallows) client.destroySoon()
      },
      cut: (how = 'rst') => {
        for (const socket of [client, server]) {
          if (how === 'rst') socket.resetAndDestroy()
          else socket.destroySoon()
        }
      },
    }
    const decide = () => {
      const faults = typeof faultsOfNew === 'function' ? faultsOfNew(connection) : faultsOfNew
      if (faults) connection.set(faults)
    }
    open.set(connection, [client, server])
    const closed = (socket: Socket, other: Socket) => (hadError: boolean) => {
      const { swallows } = socket === client ? up : down
      if (swallows && !other.destroyed) return // the end of a half-open connection is swallowed as well
      if (hadError) other.resetAndDestroy()
      else other.destroySoon()
      if (other.destroyed) open.delete(connection)
    }
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => {}) // 'close' follows
      socket.once('close', closed(socket, other))
    }
    if (typeof faultsOfNew !== 'function') decide()
  }

  const listen = async (on: number) => {
    const server = createServer({ allowHalfOpen: true }, accept).listen(on, '127.0.0.1')
    await once(server, 'listening')
    listening = server
    return (server.address() as AddressInfo).port
  }
  const refuse = async () => {
    listening?.close() // stops listening at once, even with open connections
    listening = undefined
  }
  const all = () => [...open.keys()]
  const ownPort = await listen(0)

  return {
    port: ownPort,
    url: (original) => {
      const url = new URL(original)
      url.hostname = '127.0.0.1'
      url.port = String(ownPort)
      return original.endsWith('/') ? url.toString() : url.toString().replace(/\/$/, '')
    },
    get connections() {
      return all()
    },
    get accepted() {
      return accepted
    },
    set: (faults, which = () => true) => each(all().filter(which), (connection) => connection.set(faults)),
    cut: (how, which = () => true) => each(all().filter(which), (connection) => connection.cut(how)),
    setNew: (faults) => {
      faultsOfNew = faults
    },
    lead: (next) => {
      address = addressOf(next)
    },
    refuse,
    restore: async () => {
      faultsOfNew = {}
      for (const connection of all()) connection.set({})
      if (!listening) await listen(ownPort)
    },
    close: async () => {
      await refuse()
      for (const sockets of open.values()) for (const socket of sockets) socket.destroy()
      open.clear()
    },
  }
}

function each<T>(items: readonly T[], act: (item: T) => void): number {
  items.forEach(act)
  return items.length
}

function addressOf(target: Target): { host: string; port: number } {
  if (typeof target !== 'string') return target
  const { protocol, hostname, port } = new URL(target)
  const usual = protocol.startsWith('postgres') ? 5432 : 80
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) }
}
