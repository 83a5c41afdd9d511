import { readHealth } from '../../observe/views/read-health.ts'
import { readRelayFleet } from '../../observe/views/read-relay-fleet.ts'
import type { Database } from '../../store/connection/database.ts'
import { readMigrations } from '../../store/migrate/migrations.ts'
import { readSchemaState } from '../../store/migrate/schema-version.ts'
import { describeFailure } from '../errors.ts'

/** One result of a check. Only a failure makes the command fail. */
export type Finding =
  | { readonly level: 'ok'; readonly what: string }
  | { readonly level: 'warning' | 'failure'; readonly what: string; readonly next: string }

export interface Check {
  readonly name: string
  /** An error that it throws counts as a failure. */
  readonly run: (db: Database) => Promise<readonly Finding[]>
}

/** The checks in the order in which they run. If the first check fails, the others cannot succeed. */
export const CHECKS: readonly Check[] = [
  { name: 'connection', run: checkConnection },
  { name: 'schema', run: checkSchema },
  { name: 'synchronous_commit', run: checkSynchronousCommit },
  { name: 'notifications', run: checkNotifications },
  { name: 'relays', run: checkRelays },
  { name: 'health', run: checkHealth },
]

/** Runs one check; never rejects. */
export async function runCheck({ run }: Check, db: Database): Promise<readonly Finding[]> {
  try {
    return await run(db)
  } catch (error) {
    return [
      { level: 'failure', what: describeFailure(error).line, next: 'correct this, then run doctor again' },
    ]
  }
}

async function checkConnection(db: Database): Promise<readonly Finding[]> {
  const [row] = await db.query<{ version: string; number: number; name: string; account: string }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
            current_database() AS name, current_user AS account`,
  )
  if (!row) return [{ level: 'failure', what: 'the server did not answer', next: 'check DATABASE_URL' }]
  const what = `PostgreSQL ${row.version}, database ${row.name}, user ${row.account}`
  return row.number >= 140_000
    ? [ok(what)]
    : [{ level: 'failure', what, next: 'upgrade the server to PostgreSQL 14 or later' }]
}

async function checkSchema(db: Database): Promise<readonly Finding[]> {
  const known = readMigrations(db.names).length
  const found = await readSchemaState((text, values) => db.query(text, values), db.names)
  if (!found) {
    const what = `schema "${db.names.schema}" does not exist`
    return [{ level: 'failure', what, next: 'run customerio-outbox migrate, or set OUTBOX_SCHEMA' }]
  }
  const what = `schema "${db.names.schema}" is at version ${found.version}, this package supports ${known}`
  if (found.version < known) return [{ level: 'failure', what, next: 'run customerio-outbox migrate' }]
  if (found.oldestRelay > known) return [{ level: 'failure', what, next: 'upgrade customerio-outbox' }]
  return [ok(what)]
}

async function checkSynchronousCommit(db: Database): Promise<readonly Finding[]> {
  const [row] = await db.query<{ value: string }>(`SELECT current_setting('synchronous_commit') AS value`)
  if (row?.value !== 'off') return [ok(row?.value ?? 'unknown')]
  return [
    {
      level: 'warning',
      what: 'off: a crash of the server loses the last commits of every app, with their intents',
      next: 'set synchronous_commit to on, for the database or for the transactions that enqueue',
    },
  ]
}

async function checkNotifications(db: Database): Promise<readonly Finding[]> {
  const [row] = await db.query<{ usage: number; holder: string | null }>(
    `SELECT usage, holder FROM ${db.names.q}.notification_queue()`,
  )
  const percent = Math.round((row?.usage ?? 0) * 100)
  const what = `the server's queue of notifications is ${percent} % full`
  if (!row?.holder) return [ok(what)]
  return [{ level: 'failure', what: `${what}; relays poll instead`, next: row.holder }]
}

async function checkRelays(db: Database): Promise<readonly Finding[]> {
  const relays = await readRelayFleet(queryable(db), db.names)
  const alive = relays.filter((relay) => relay.alive).length
  if (alive > 0) return [ok(`${alive} running`)]
  return [{ level: 'failure', what: 'no relay is running', next: 'start customerio-outbox relay' }]
}

async function checkHealth(db: Database): Promise<readonly Finding[]> {
  const { status, reasons } = await readHealth(queryable(db), db.names)
  if (status === 'ok') return [ok('ok')]
  const level = status === 'down' ? 'failure' : 'warning'
  return reasons.map((what) => ({
    level,
    what,
    next: 'run customerio-outbox status; docs/operations.md explains each reason',
  }))
}

function ok(what: string): Finding {
  return { level: 'ok', what }
}

function queryable(db: Database) {
  return { query: async (text: string) => ({ rows: await db.query(text) }) }
}
