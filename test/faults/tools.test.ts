/** Checks the tools of the fault tests: a fault without effect would let every test pass that relies on it. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'
import { HALF_OPEN, startTcpProxy, type TcpProxy } from './support/network/tcp-proxy.ts'

describe('the TCP proxy', () => {
  let echo: Server
  let proxy: TcpProxy
  const atServer: Socket[] = []
  beforeEach(async () => {
    atServer.length = 0
    echo = createServer((socket) => {
      atServer.push(socket)
      socket.on('error', () => {})
      socket.pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    proxy = await startTcpProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
  })
  afterEach(async () => {
    await proxy.close()
    echo.close()
    await once(echo, 'close') // resolves when every socket is closed, so the proxy left none open
  })

  async function client() {
    const socket = connect(proxy.port, '127.0.0.1')
    const ended: string[] = []
    let heard = ''
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
    })
    socket.on('end', () => ended.push('fin'))
    socket.on('error', (error: NodeJS.ErrnoException) => ended.push(error.code ?? ''))
    socket.on('close', () => ended.push('closed'))
    await once(socket, 'connect').catch(() => {})
    const hears = (text: string) => eventually(`to hear ${text}`, () => heard === text)
    return { socket, ended, hears, heard: () => heard }
  }

  test('forwards all bytes, and shows whether a client has sent a given text', async () => {
    const [a, b] = [await client(), await client()]
    a.socket.write('LISTEN "x"')
    b.socket.write('hello')
    await Promise.all([a.hears('LISTEN "x"'), b.hears('hello')])
    expect(proxy.connections.map((connection) => connection.mentions('LISTEN'))).toEqual([true, false])
    a.socket.end()
    await eventually('the end of one', () => a.ended.includes('closed'))
    expect(proxy.connections).toHaveLength(1)
    b.socket.destroy()
    await eventually('the end of the other', () => proxy.connections.length === 0)
  })

  test('swallows the bytes of both directions', async () => {
    const a = await client()
    a.socket.write('one')
    await a.hears('one')
    expect(proxy.set(HALF_OPEN, (connection) => connection.mentions('one'))).toBe(1)
    a.socket.write('two')
    atServer[0]?.write('three')
    a.socket.end()
    await eventually('the client’s words and end at the proxy', () =>
      proxy.connections[0]?.mentions('onetwo'),
    )
    expect(atServer[0]?.readableEnded).toBe(false)
    expect(a.heard()).toBe('one')
    expect(proxy.connections).toHaveLength(1)
  })

  test('applies faults to a new connection as soon as its client sends a text', async () => {
    proxy.setNew((connection) => (connection.mentions('LISTEN') ? HALF_OPEN : undefined))
    const [a, b] = [await client(), await client()]
    a.socket.write('LISTEN')
    b.socket.write('SELECT')
    await b.hears('SELECT')
    await proxy.restore()
    a.socket.write('again')
    await a.hears('again')
  })

  test('delays one direction, in order', async () => {
    const a = await client()
    proxy.set({ down: { delayMs: 150 } })
    const began = performance.now()
    for (const word of ['a', 'b', 'c']) a.socket.write(word)
    await a.hears('abc')
    expect(performance.now() - began).toBeGreaterThan(140)
  })

  test('cuts with a RST or with a FIN', async () => {
    const [a, b] = [await client(), await client()]
    a.socket.write('a')
    b.socket.write('b')
    await Promise.all([a.hears('a'), b.hears('b')])
    expect(proxy.cut('rst', (connection) => connection.mentions('a'))).toBe(1)
    await eventually('the end', () => a.ended.includes('closed'))
    expect(a.ended).toEqual(['ECONNRESET', 'closed'])
    expect(proxy.cut('fin')).toBe(1)
    await eventually('the end', () => b.ended.includes('closed'))
    expect(b.ended).toEqual(['fin', 'closed'])
  })

  test('refuses new connections while open ones continue, and accepts them again after restore', async () => {
    const a = await client()
    await proxy.refuse()
    const b = await client()
    expect(b.ended[0]).toBe('ECONNREFUSED')
    a.socket.write('still here')
    await a.hears('still here')
    await proxy.restore()
    const c = await client()
    c.socket.write('back')
    await c.hears('back')
    expect(proxy.accepted).toBe(2)
  })

  test('directs new connections to another server, while open ones keep theirs', async () => {
    const a = await client()
    a.socket.write('a')
    await a.hears('a')
    const other = createServer((socket) => socket.end('other')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    proxy.lead({ host: '127.0.0.1', port: (other.address() as AddressInfo).port })
    const b = await client()
    await b.hears('other')
    a.socket.write('b')
    await a.hears('ab')
    other.close()
  })
})

describe('the Postgres server', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgresServer({ settings: ['work_mem=5MB'] })
  })
  afterAll(() => server.close())

  test('keeps committed rows through a crash and both kinds of restart', async () => {
    const db = await server.createDatabase()
    const { url } = db
    expect(await db.rows('SHOW work_mem')).toEqual([{ work_mem: '5MB' }])
    await db.pool.end()
    const write = async (n: number) => {
      const client = new pg.Client({ connectionString: url })
      client.on('error', () => {})
      await client.connect()
      await client.query(`SELECT outbox.enqueue('identify', '{"customerId": ${n}}')`)
      const { rows } = await client.query('SELECT count(*)::int AS count FROM outbox.intents')
      return rows[0].count
    }
    expect(await write(1)).toBe(1)
    const { pid } = server
    await server.crash()
    await server.start()
    expect(server.pid).not.toBe(pid)
    expect(await write(2)).toBe(2)
    await server.restart('immediate')
    expect(await write(3)).toBe(3)
    await server.restart('fast')
    expect(await write(4)).toBe(4)
    await server.stop('fast')
    await expect(write(5)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await server.start()
  })
})
