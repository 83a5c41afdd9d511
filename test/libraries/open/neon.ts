import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { neon, neonConfig, Pool } from '@neondatabase/serverless'
import { drizzle } from 'drizzle-orm/neon-serverless'
import { WebSocket, WebSocketServer } from 'ws'
import type { Library } from '../contract/library.ts'
import { overDrizzle } from './drizzle.ts'
import { overPool } from './pg.ts'

/** Neon's clients speak Postgres' protocol over a WebSocket. This proxy connects each WebSocket to the suite's server. */
async function startProxy(url: string): Promise<Server> {
  const { hostname, port } = new URL(url)
  const server = createServer()
  new WebSocketServer({ server }).on('connection', (webSocket) => {
    const socket = connect(Number(port || 5432), hostname)
    webSocket.on('message', (data: Buffer) => socket.write(data)).on('close', () => socket.end())
    socket.on('data', (data) => webSocket.send(data)).on('close', () => webSocket.close())
    socket.on('error', () => webSocket.close())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

async function openPool(url: string) {
  const proxy = await startProxy(url)
  neonConfig.webSocketConstructor = WebSocket
  neonConfig.useSecureWebSocket = false
  neonConfig.pipelineTLS = false
  neonConfig.pipelineConnect = false
  neonConfig.wsProxy = () => `127.0.0.1:${(proxy.address() as AddressInfo).port}/`
  const pool = new Pool({ connectionString: url, max: 2 })
  return {
    pool,
    async close() {
      await pool.end()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

export const neonServerless: Library = {
  name: 'Neon serverless 1',
  refusal: /got a client outside a transaction|got a pg Pool|got the function of Neon's neon\(\)/,
  outside: ['a client', 'a Pool', 'the function of neon()'],
  knowsItsEnd: false,
  async open(url) {
    const { pool, close } = await openPool(url)
    const open = overPool(pool, (client) => client)
    return {
      ...open,
      outside: {
        ...open.outside,
        'a Pool': (check) => check(pool),
        'the function of neon()': (check) => check(neon(url)),
      },
      close,
    }
  },
}

export const drizzleNeon: Library = {
  name: 'Drizzle 0.45 over Neon serverless',
  refusal: /got a Drizzle .*, use the tx of db\.transaction\(async \(tx\) => …\)/,
  outside: ['the database'],
  knowsItsEnd: false,
  async open(url) {
    const { pool, close } = await openPool(url)
    return { ...overDrizzle(drizzle(pool)), close }
  },
}
