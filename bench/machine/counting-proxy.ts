import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A frontend message of the Postgres protocol starts with a type byte and a length that includes itself. */
const QUERY = 'Q'
const PARSE = 'P'
const EXECUTE = 'E'
const HEADER = 5

/** A proxy between a relay and Postgres that counts statements. Works with any server and needs no extension. */
export class CountingProxy implements AsyncDisposable {
  readonly url: string
  readonly #server: ReturnType<typeof createServer>
  readonly #sockets: Set<Socket>
  readonly #counter: Counter

  private constructor(
    url: string,
    server: ReturnType<typeof createServer>,
    sockets: Set<Socket>,
    counter: Counter,
  ) {
    this.url = url
    this.#server = server
    this.#sockets = sockets
    this.#counter = counter
  }

  static async start(databaseUrl: string): Promise<CountingProxy> {
    const target = new URL(databaseUrl)
    const counter: Counter = { statements: 0, texts: new Map() }
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const upstream = connect(Number(target.port || 5432), target.hostname)
      const count = counting(counter)
      client.on('data', count)
      client.pipe(upstream).pipe(client)
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on('error', () => client.destroy()).on('close', () => sockets.delete(socket))
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const url = new URL(databaseUrl)
    url.hostname = '127.0.0.1'
    url.port = String(typeof address === 'object' ? address?.port : '')
    return new CountingProxy(url.toString(), server, sockets, counter)
  }

  /** Statements since the last call: how many, and how often each text was sent. Resets both. */
  take(): { statements: number; texts: Record<string, number> } {
    const { statements, texts } = this.#counter
    const taken = { statements, texts: Object.fromEntries([...texts].sort((a, b) => b[1] - a[1])) }
    this.#counter.statements = 0
    this.#counter.texts = new Map()
    return taken
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

interface Counter {
  statements: number
  texts: Map<string, number>
}

/** Parses one connection's messages. The first message has no type byte. */
function counting(counter: Counter): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let started = false
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const header = started ? HEADER : 4
      if (rest.length < header) return
      const length = rest.readUInt32BE(header - 4) + header - 4
      if (rest.length < length) return
      if (started) read(counter, String.fromCharCode(rest[0] ?? 0), rest.subarray(HEADER, length))
      started = true
      rest = rest.subarray(length)
    }
  }
}

function read(counter: Counter, type: string, body: Buffer): void {
  if (type === QUERY || type === EXECUTE) counter.statements++
  if (type !== QUERY && type !== PARSE) return
  const parts = body.toString('utf8').split('\0')
  const text = (type === QUERY ? parts[0] : parts[1])?.replaceAll(/\s+/g, ' ').trim().slice(0, 90) ?? ''
  counter.texts.set(text, (counter.texts.get(text) ?? 0) + 1)
}
