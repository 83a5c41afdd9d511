import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CountingProxy {
  /** The server's URL, through the proxy. */
  readonly url: string
  /** Number of statements since the start: simple queries, and executions of prepared statements. */
  readonly statements: number
  close(): Promise<void>
}

/** Starts a proxy in front of a Postgres server that counts the statements of its clients. */
export async function startCountingProxy(serverUrl: string): Promise<CountingProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let statements = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}) // either end may go away at any time
      socket.on('close', () => sockets.delete(socket))
    }
    const count = frameReader((type) => {
      if (type === 'Q' || type === 'E') statements++
    })
    client.on('data', count)
    client.pipe(upstream).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(serverUrl)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.toString(),
    get statements() {
      return statements
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Splits the bytes of a client into messages: a type, a length that includes itself, and a body. The first has no type. */
function frameReader(onMessage: (type: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let header = 0
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= header + 4) {
      const size = header + rest.readInt32BE(header)
      if (rest.length < size) return
      if (header === 1) onMessage(String.fromCharCode(rest[0] ?? 0))
      rest = rest.subarray(size)
      header = 1
    }
  }
}
