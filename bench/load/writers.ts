/** Runs concurrent writers that commit as fast as they can, each on its own connection. */
import pg from 'pg'
import { PEOPLE } from '../workload/payload.ts'
import { finish, task } from './load-process.ts'
import { type Mode, placeOrder, type Store, storeOf } from './transactions.ts'

export interface WritersTask {
  readonly databaseUrl: string
  readonly mode: Mode
  readonly writers: number
  /** Events per transaction. */
  readonly perTransaction: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface WritersResult {
  /** Committed transactions per second of the measured time. */
  readonly transactionsPerSecond: number
  /** Ids by ref of all events whose COMMIT was confirmed, including the warm-up. */
  readonly committed: ReadonlyMap<number, string>
}

const { databaseUrl, mode, writers, perTransaction, warmUpSeconds, seconds } = task<WritersTask>()
const PER_WRITER = PEOPLE / writers
const state = { measuring: false, ended: false, transactions: 0 }
const committed = new Map<number, string>()

/** Each person belongs to one writer, so the order of a person's refs is the order of the commits. */
async function write(writer: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const store = await storeOf(mode, client)
  for (let turn = 0; !state.ended; turn++) await transaction(client, store, writer, turn)
  await client.end()
}

async function transaction(client: pg.Client, store: Store, writer: number, turn: number): Promise<void> {
  const refs = Array.from({ length: perTransaction }, (_, n) => refOf(writer, turn * perTransaction + n))
  await client.query('BEGIN')
  await placeOrder(client, refs[0] ?? 0)
  const ids = await store(client, refs)
  await client.query('COMMIT')
  for (const [n, ref] of refs.entries()) committed.set(ref, ids[n] ?? '')
  if (state.measuring) state.transactions++
}

function refOf(writer: number, ordinal: number): number {
  return writer * PER_WRITER + (ordinal % PER_WRITER) + PEOPLE * Math.floor(ordinal / PER_WRITER)
}

let began = 0
let measured = 0
setTimeout(() => {
  state.measuring = true
  began = performance.now()
}, warmUpSeconds * 1_000)
setTimeout(
  () => {
    state.measuring = false
    measured = (performance.now() - began) / 1_000
    state.ended = true
  },
  (warmUpSeconds + seconds) * 1_000,
)
await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
finish({ transactionsPerSecond: state.transactions / measured, committed })
