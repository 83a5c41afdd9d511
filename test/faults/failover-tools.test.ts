/** Checks the failover tool: commits that the standby had not received are lost, and their numbers are drawn again. */
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { type Pair, startPair } from './support/servers/failover.ts'
import { judge } from './support/shop/oracle.ts'
import { LOSES_COMMITS, startPostgresServer } from './support/servers/postgres-server.ts'
import { createShop, Ledger, readTables } from './support/shop/shop.ts'
import { Writer } from './support/shop/writers.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Commits intents one by one and returns their numbers. */
async function commit(connectionString: string, count: number): Promise<number[]> {
  return onClient(connectionString, async (client) => {
    for (let n = 0; n < count; n++)
      await client.query(`SELECT outbox.enqueue('identify', '{"customerId": ${n}}')`)
    return numbersOf(client)
  })
}

async function numbersOf(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query('SELECT seq::int FROM outbox.intents ORDER BY seq')
  return rows.map(({ seq }) => seq)
}

async function onClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function timelineOf(pair: Pair): Promise<number> {
  return onClient(pair.url, async (client) => {
    const { rows } = await client.query(
      "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS t",
    )
    return rows[0].t
  })
}

test('each failover loses the commits that the standby had not received, sets the sequence back and starts a timeline', async () => {
  const pair = await startPair()
  ends.push(() => pair.close())
  const db = await pair.createDatabase()
  await db.pool.end()
  expect(await timelineOf(pair)).toBe(1)
  for (const round of [1, 2]) {
    const received = await commit(db.url, 50)
    await pair.lag()
    const lost = (await commit(db.url, 200)).slice(received.length)
    const { port } = pair.primary
    await pair.failover()
    expect(pair.primary.port).not.toBe(port)
    expect(await onClient(db.url, numbersOf)).toEqual(received)
    expect(await timelineOf(pair)).toBe(round + 1)
    const again = (await commit(db.url, 200)).slice(received.length)
    expect(again.filter((seq) => lost.includes(seq)).length).toBeGreaterThan(100)
    await pair.addStandby()
  }
})

test('a failover to a standby that has caught up loses nothing', async () => {
  const pair = await startPair()
  ends.push(() => pair.close())
  const db = await pair.createDatabase()
  await db.pool.end()
  await pair.lag()
  const all = await commit(db.url, 200)
  await pair.catchUp()
  await pair.failover()
  expect(await onClient(db.url, numbersOf)).toEqual(all)
})

test('a writer finds the commits that a failover lost, and continues after the surviving ones', async () => {
  const pair = await startPair()
  ends.push(() => pair.close())
  const db = await pair.createDatabase()
  await createShop(db.pool)
  await db.pool.end()
  const ledger = new Ledger()
  const writer = new Writer({ connectionString: db.url, name: 'w', ledger })
  const write = (steps: number, end: 'commit' | 'rollback' = 'commit') =>
    writer.transact({ steps: Array.from({ length: steps }, () => ({ person: 'ada' })), end })
  await write(2)
  await pair.lag()
  await write(3)
  await write(1, 'rollback')
  await pair.failover(() => ledger.beginLoss())
  expect(await write(1)).toBe('rolled back') // its connection broke with the primary
  await write(1)
  await writer.close()
  expect([...ledger.lostCommits.keys()]).toEqual(['w-3', 'w-4', 'w-5'])
  const { written } = await onClient(db.url, readTables)
  expect(written.map(({ ref, position }) => [ref, position])).toEqual([
    ['w-1', 1],
    ['w-2', 2],
    ['w-8', 3],
  ])
  const verdict = judge({ written, pending: [], deadLettered: [], applied: [], duplicates: [], ...ledger })
  expect(verdict.findings).toEqual([{ violation: 'lost', count: 3, refs: ['w-1', 'w-2', 'w-8'] }])
})

test('a crash loses acknowledged commits only with the settings that allow it', async () => {
  const left = async (settings: readonly string[]) => {
    const server = await startPostgresServer({ settings })
    ends.push(() => server.close())
    const db = await server.createDatabase()
    await db.pool.end()
    await onClient(db.url, (client) => client.query('CHECKPOINT'))
    expect(await commit(db.url, 200)).toHaveLength(200)
    await server.crash()
    await server.start()
    return (await onClient(db.url, numbersOf)).length
  }
  expect(await left([])).toBe(200)
  expect(await left(LOSES_COMMITS)).toBeLessThan(150)
})
