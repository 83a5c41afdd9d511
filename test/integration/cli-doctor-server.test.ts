/**
 * What doctor says about the server. Each test makes a fault in a real server. It fails if the check is removed from
 * examine.ts.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { hostClock } from '../faults/support/processes/host-clock.ts'
import { type PostgresServer, startPostgresServer } from '../faults/support/servers/postgres-server.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { findingsOf } from '../support/doctor.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'

const ok = (what: unknown) => ({ level: 'ok', what })
/** A limit of 1 s for open transactions, which those of doctor itself do not reach. */
const OLD = { limits: { transactionSeconds: 1 } }

let db: TestDatabase
beforeEach(async () => {
  db = await createTestDatabase()
})
afterEach(() => db.drop())

describe('connection', () => {
  test('a wrong password, and a server that does not answer, are failures that say what to check', async () => {
    const url = new URL(db.url)
    url.username = 'no_such_user'
    expect(await findingsOf('connection', url.toString())).toMatchObject([
      {
        level: 'failure',
        what: expect.stringMatching(/^cannot connect to the database: /),
        next: 'check DATABASE_URL',
      },
    ])
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    expect(await findingsOf('connection', `postgres://u:p@127.0.0.1:${port}/x`)).toMatchObject([
      { level: 'failure', next: 'check that it is running and that DATABASE_URL is right' },
    ])
    silent.close()
  })

  test('a database of another encoding is a failure', async () => {
    const name = `outbox_test_ascii_${process.pid}`
    await db.rows(`CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`)
    const url = new URL(db.url)
    url.pathname = `/${name}`
    expect(await findingsOf('connection', url.toString())).toMatchObject([
      { level: 'failure', what: expect.stringMatching(/, encoding SQL_ASCII$/) },
    ])
    await db.rows(`DROP DATABASE ${name}`)
  })
})

describe('clock', () => {
  const lineAt = async (secondsOff: number) => {
    const { stdout } = await runCli(['doctor', '--json'], {
      DATABASE_URL: db.url,
      NODE_OPTIONS: hostClock(secondsOff / 3_600).join(' '),
    })
    return JSON.parse(stdout).findings.find(({ name }: { name: string }) => name === 'clock')
  }

  test('a difference of over 1 s is a warning, one of over 60 s a failure, and the same clock is ok', async () => {
    expect(await findingsOf('clock', db.url)).toMatchObject([
      ok(expect.stringMatching(/differ by 0\.\d+ s \(± 0\.\d+ s\)$/)),
    ])
    const next = expect.stringContaining('timedatectl timesync-status')
    expect(await lineAt(-5)).toMatchObject({
      level: 'warning',
      what: expect.stringMatching(/^the database is (5\.0|4\.9)\d+ s \(± .*\) ahead of this machine/),
      next,
    })
    expect(await lineAt(120)).toMatchObject({
      level: 'failure',
      what: expect.stringMatching(/^the database is (120|119) s \(± .*\) behind this machine/),
      next,
    })
  })
})

describe('transactions', () => {
  test('an old transaction is a warning that names process, user and application, and the statement that ends it', async () => {
    const client = new pg.Client({ connectionString: db.url, application_name: 'reports' })
    client.on('error', () => {}) // the test ends it
    await client.connect()
    await client.query('BEGIN')
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
    await aged(db)
    const next = `SELECT pg_terminate_backend(${rows[0].pid})`
    expect(await findingsOf('transactions', db.url, OLD)).toContainEqual({
      level: 'warning',
      what: `process ${rows[0].pid} (user postgres, application reports, idle in transaction) has a transaction open for 0 min`,
      next,
    })
    const viewer = await createLoginRole(db, 'outbox_viewer')
    const hidden = ok(
      `those of other users are hidden: to see them, GRANT pg_read_all_stats TO ${viewer.name}`,
    )
    expect(await findingsOf('transactions', viewer.url, OLD)).toEqual([hidden])
    await db.rows(`GRANT pg_read_all_stats TO ${viewer.name}`)
    expect(await findingsOf('transactions', viewer.url, OLD)).toMatchObject([{ level: 'warning', next }])
    await viewer.drop()
    await db.rows(next)
    expect(await findingsOf('transactions', db.url)).toEqual([ok('none is open for over 10 minutes')])
    await client.end().catch(() => {})
  })
})

describe('dead rows', () => {
  test('100,000 dead rows that no vacuum has removed are a warning, until the next step is run', async () => {
    await db.rows('ALTER TABLE outbox.dedup SET (autovacuum_enabled = off)')
    const [tx] = [await db.pool.connect()]
    await tx.query(
      `INSERT INTO outbox.dedup SELECT 'default', n::text, gen_random_uuid(), now() FROM generate_series(1, 120000) n`,
    )
    await tx.query('DELETE FROM outbox.dedup')
    tx.release(true) // the end of the session writes its statistics
    const found = await eventuallyFound('dead_rows', 'warning')
    expect(found).toEqual([
      {
        level: 'warning',
        what: 'dedup: 120,000 dead rows, last vacuum never',
        next: 'VACUUM "outbox".dedup; if the number stays, end the old transactions',
      },
    ])
    await db.rows('VACUUM outbox.dedup')
    expect(await eventuallyFound('dead_rows', 'ok')).toMatchObject([
      ok(expect.stringMatching(/dedup: 0 dead rows, last vacuum 0 min ago/)),
    ])
  })
})

describe('autovacuum and prepared transactions', () => {
  let server: PostgresServer
  let own: TestDatabase
  beforeAll(async () => {
    server = await startPostgresServer({
      settings: ['autovacuum=off', 'track_counts=off', 'max_prepared_transactions=2'],
    })
    own = await server.createDatabase()
  })
  afterAll(async () => {
    await own.drop()
    await server.close()
  })

  test('autovacuum that is off on the server, or for a table, is a failure with the statement that turns it on', async () => {
    await own.rows('ALTER TABLE outbox.intents SET (autovacuum_enabled = false)')
    const found = await findingsOf('autovacuum', own.url)
    const next = 'ALTER TABLE outbox.intents RESET (autovacuum_enabled)'
    expect(found).toMatchObject([
      { level: 'failure', what: expect.stringMatching(/^autovacuum is off on the server/) },
      { level: 'failure', what: expect.stringMatching(/^track_counts is off on the server/) },
      { level: 'failure', what: 'autovacuum is off for outbox.intents', next },
    ])
    await own.rows(next)
    expect(await findingsOf('autovacuum', own.url)).toHaveLength(2)
    expect(await findingsOf('autovacuum', db.url)).toEqual([ok('on')])
  })

  test('an old prepared transaction is a warning, also for a user who sees no other', async () => {
    const tx = await own.begin()
    await tx.query('SELECT outbox.enqueue(\'track\', \'{"customerId": 1, "name": "x"}\')')
    await tx.query("PREPARE TRANSACTION 'order 42'")
    tx.release()
    await aged(own)
    const viewer = await createLoginRole(own, 'outbox_viewer')
    expect(await findingsOf('transactions', viewer.url, OLD)).toMatchObject([
      {
        level: 'warning',
        what: "prepared transaction 'order 42' of user postgres, open for 0 min",
        next: "ROLLBACK PREPARED 'order 42', or COMMIT PREPARED",
      },
      { level: 'ok', what: expect.stringContaining('pg_read_all_stats') },
    ])
    await own.rows("ROLLBACK PREPARED 'order 42'")
    await viewer.drop()
  })
})

describe('wake-ups', () => {
  test('a LISTEN connection to another database, or to no server, is a warning', async () => {
    expect(await findingsOf('wake_up', db.url)).toMatchObject([
      ok(
        expect.stringMatching(
          /^relays listen on outbox:wake; a notification through DATABASE_URL takes \d+ ms$/,
        ),
      ),
    ])
    expect(
      await findingsOf('wake_up', db.url, { listenConnectionString: inject('serverUrl') }),
    ).toMatchObject([
      {
        level: 'warning',
        what: expect.stringMatching(/^LISTEN through OUTBOX_LISTEN_URL succeeds, but no notification/),
      },
    ])
    const closed = 'postgres://u:p@127.0.0.1:1/x'
    expect(await findingsOf('wake_up', db.url, { listenConnectionString: closed })).toMatchObject([
      {
        level: 'warning',
        what: expect.stringMatching(/^LISTEN through OUTBOX_LISTEN_URL fails: .*ECONNREFUSED/),
      },
    ])
  })
})

/** Waits until a transaction of the database is over the limit of `OLD`. */
async function aged({ rows }: TestDatabase): Promise<void> {
  await eventually('an old transaction', async () => {
    const old = await rows(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now() - interval '1.1 s'
       UNION ALL
       SELECT FROM pg_prepared_xacts WHERE prepared < now() - interval '1.1 s'`,
    )
    return old.length > 0
  })
}

/** Statistics of tables arrive a little later than the commit. */
async function eventuallyFound(check: string, level: string) {
  return eventually(`${check} ${level}`, async () => {
    const found = await findingsOf(check, db.url)
    return found.some((finding) => finding.level === level) && found
  })
}
