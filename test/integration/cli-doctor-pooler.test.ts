/** What doctor says through PgBouncer. A test fails if the check `pooler` or `wake_up` is removed from examine.ts. */
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { findPgBouncer, type PgBouncer, startPgBouncer } from '../faults/support/servers/pgbouncer.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { findingsOf } from '../support/doctor.ts'

const binary = findPgBouncer('doctor through PgBouncer')

describe.skipIf(!binary)('through PgBouncer', () => {
  let db: TestDatabase
  let bouncer: PgBouncer | undefined
  beforeEach(async () => {
    db = await createTestDatabase()
  })
  afterEach(async () => {
    await bouncer?.close()
    await db.drop()
  })

  async function through(mode: 'transaction' | 'session'): Promise<string> {
    bouncer = await startPgBouncer(binary ?? '', inject('serverUrl'), { mode })
    return bouncer.url(db.url)
  }

  test('transaction mode is a warning without OUTBOX_LISTEN_URL, which wake_up confirms', async () => {
    const url = await through('transaction')
    const next =
      'set OUTBOX_LISTEN_URL to a direct connection to the same database; see docs/deploy.md#pgbouncer'
    expect(await findingsOf('pooler', url)).toEqual([
      {
        level: 'warning',
        what: 'a pooler in transaction mode: no notification arrives, so relays poll every second',
        next,
      },
    ])
    expect(await findingsOf('wake_up', url)).toEqual([
      {
        level: 'warning',
        what: 'LISTEN through DATABASE_URL succeeds, but no notification arrives within 3 s: relays poll every second',
        next,
      },
    ])
    const direct = { listenConnectionString: db.url }
    expect(await findingsOf('pooler', url, direct)).toEqual([
      { level: 'ok', what: 'a pooler in transaction mode; relays listen through OUTBOX_LISTEN_URL' },
    ])
    expect(await findingsOf('wake_up', url, direct)).toMatchObject([{ level: 'ok' }])
  })

  test('session mode and a direct connection are ok', async () => {
    const url = await through('session')
    expect(await findingsOf('pooler', url)).toEqual([
      { level: 'ok', what: 'a pooler in session mode, or one whose connections are all in use' },
    ])
    expect(await findingsOf('wake_up', url)).toMatchObject([{ level: 'ok' }])
    expect(await findingsOf('pooler', db.url)).toEqual([
      { level: 'ok', what: 'none: the connection to the server is direct' },
    ])
  })

  test('every other check works in transaction mode, and leaves no setting in a pooled connection', async () => {
    const url = await through('transaction')
    const { stdout, stderr } = await runCli(['doctor', '--json'], {
      DATABASE_URL: url,
      OUTBOX_LISTEN_URL: db.url,
    })
    expect(stderr).toBe('')
    const { findings } = JSON.parse(stdout) as { findings: { name: string; level: string; what: string }[] }
    const problems = findings.filter(({ level, name }) => level !== 'ok' && name !== 'synchronous_commit')
    expect(problems.map(({ what }) => what)).toEqual(['no relay is running'])
    expect(findings.find(({ name }) => name === 'drift')?.what).toBe(
      'every object is as the migrations made it',
    )
    const left = await db.rows(
      `SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`,
    )
    expect(left).toEqual([])
  })
})
