/** Commits at a steady rate, independent of the database's latency, and reports when it sent each COMMIT. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { now } from '../machine/clock.ts'
import { finish, task } from './load-process.ts'
import { type Mode, placeOrder, storeOf } from './transactions.ts'

export interface PacerTask {
  readonly databaseUrl: string
  readonly mode: Mode
  readonly perSecond: number
  readonly seconds: number
}

export interface PacerResult {
  /** By ref: ms of the monotonic clock just before COMMIT was sent. */
  readonly committedAt: readonly number[]
  /** The ids of the events, by ref. */
  readonly committed: ReadonlyMap<number, string>
}

const CONNECTIONS = 8
const { databaseUrl, mode, perSecond, seconds } = task<PacerTask>()
const committedAt: number[] = []
const committed = new Map<number, string>()

const clients = await Promise.all(
  Array.from({ length: CONNECTIONS }, async () => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    return client
  }),
)
const free = [...clients]
const [first] = clients
if (!first) throw new Error('Expected at least one connection, got none')
const store = await storeOf(mode, first)

async function commit(ref: number): Promise<void> {
  let client = free.pop()
  for (; !client; client = free.pop()) await sleep(1)
  await client.query('BEGIN')
  await placeOrder(client, ref)
  const [id = ''] = await store(client, [ref])
  committedAt[ref] = now()
  await client.query('COMMIT')
  committed.set(ref, id)
  free.push(client)
}

const began = performance.now()
const commits: Promise<void>[] = []
for (let ref = 0; ref < perSecond * seconds; ref++) {
  const due = began + (ref * 1_000) / perSecond
  if (due > performance.now()) await sleep(due - performance.now())
  commits.push(commit(ref))
}
await Promise.all(commits)
await Promise.all(clients.map((client) => client.end()))
finish({ committedAt, committed })
