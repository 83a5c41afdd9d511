import pg from 'pg'
import type { FakeCustomerIoOptions } from '../../../src/testing/index.ts'
import { eventually } from '../../support/eventually.ts'
import { everyApi, type Harness, QUICK, startHarness, stepOf } from '../../support/relay-harness.ts'
import { judge, type Verdict } from './shop/oracle.ts'
import { type RelayChild, startRelayChild } from './processes/relay-child.ts'
import { createShop, Ledger, readTables } from './shop/shop.ts'
import { Writer } from './shop/writers.ts'

type Settings = Parameters<Harness['relay']>[0]

/** A harness with writers, relays that can be killed, and an oracle. */
export interface Stage extends Harness {
  readonly ledger: Ledger
  writer(name: string): Writer
  /** Starts a relay in a separate process, with the settings `QUICK` and, on top, these. */
  child(settings?: Settings, nodeFlags?: readonly string[]): Promise<RelayChild>
  /** Locks a table exclusively, until the returned function is called or the stage closes. */
  lock(table: string): Promise<() => Promise<void>>
  /** Ends sessions of relays. Otherwise the server goes on with a waiting statement of a relay that was killed. */
  endSessions(where: string): Promise<void>
  /** Applies the oracle. Call it after all writers have ended. */
  verdict(): Promise<Verdict>
}

export async function startStage(fakeOptions: FakeCustomerIoOptions = {}): Promise<Stage> {
  const h = await startHarness({ sequenceOf: stepOf, ...fakeOptions })
  await createShop(h.db.pool)
  const ledger = new Ledger()
  const writers: Writer[] = []
  const children: RelayChild[] = []
  const gates: pg.Client[] = []
  return {
    ...h,
    ledger,
    writer(name) {
      const writer = new Writer({ connectionString: h.db.url, name, ledger })
      writers.push(writer)
      return writer
    },
    async child(settings, nodeFlags) {
      const options = { connectionString: h.db.url, customerio: everyApi(h.fake), ...QUICK, ...settings }
      const child = await startRelayChild(options, nodeFlags)
      children.push(child)
      return child
    },
    async lock(table) {
      const client = await connect(h.db.url)
      gates.push(client)
      await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
      return () => client.end()
    },
    async endSessions(where) {
      const those = `FROM pg_stat_activity WHERE datname = current_database()
        AND application_name LIKE 'customerio-outbox%' AND ${where}`
      const ended = await h.db.rows<{ pid: number }>(`SELECT pid, pg_terminate_backend(pid) ${those}`)
      const left = () =>
        h.db.rows('SELECT 1 FROM pg_stat_activity WHERE pid = ANY ($1)', [ended.map(({ pid }) => pid)])
      await eventually('the sessions to end', async () => (await left()).length === 0)
    },
    async verdict() {
      const client = await connect(h.db.url)
      try {
        const tables = await readTables(client)
        return judge({ ...tables, ...ledger, applied: h.fake.applied, duplicates: h.fake.duplicates })
      } finally {
        await client.end()
      }
    },
    async close() {
      await Promise.all(children.map((child) => child.kill()))
      await Promise.all(gates.map((gate) => gate.end()))
      await Promise.all(writers.map((writer) => writer.close()))
      await h.close()
    },
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {}) // the next statement rejects with the same error
  await client.connect()
  return client
}
