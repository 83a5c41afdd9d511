import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate, migrationScript } from '../../src/relay.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'

const ROLES = ['enqueue', 'operator', 'relay', 'viewer']

let schema: string
const databases: TestDatabase[] = []
beforeEach(() => {
  schema = `outbox_${randomBytes(6).toString('hex')}` // roles belong to the cluster, and a new schema name has none yet
})
afterEach(async () => {
  const [first] = databases
  const left = await first?.rows<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)',
    [`${schema}_`],
  )
  const { connectionString } = first?.pool.options ?? {}
  for (const db of databases.splice(0)) await db.drop()
  const server = new pg.Client({ connectionString: new URL('/postgres', connectionString).toString() })
  await server.connect()
  for (const { rolname } of left ?? []) await server.query(`DROP ROLE ${rolname}`)
  await server.end()
})

async function emptyDatabase(): Promise<TestDatabase> {
  const db = await createTestDatabase('empty')
  databases.push(db)
  return db
}

const drift = (db: TestDatabase) => db.rows(`SELECT statement FROM ${schema}.role_drift()`)
const rolesThere = async (db: TestDatabase) =>
  (
    await db.rows<{ name: string }>(
      'SELECT substr(rolname, length($1) + 1) AS name FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY 1',
      [`${schema}_`],
    )
  ).map(({ name }) => name)

test('two databases of one cluster migrate at once and share the roles', async () => {
  const pair = [await emptyDatabase(), await emptyDatabase()]
  const results = await Promise.all(pair.map(({ url }) => migrate({ connectionString: url, schema })))
  expect(results.map(({ notGranted }) => notGranted)).toEqual([[], []])
  for (const db of pair) expect(await drift(db)).toEqual([])
  expect(await rolesThere(pair[0] as TestDatabase)).toEqual(ROLES)
})

test('migrate waits for a role that another database is creating, and uses it', async () => {
  const [first, second] = [await emptyDatabase(), await emptyDatabase()]
  const creating = await first.begin()
  await creating.query(`CREATE ROLE ${schema}_relay NOLOGIN`)
  const [self] = (await creating.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows
  const migrated = migrate({ connectionString: second.url, schema })
  await eventually('the migration to wait', async () => {
    const waiting = await first.rows('SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))', [
      self?.pid,
    ])
    return waiting.length > 0
  })
  await creating.query('COMMIT')
  creating.release()
  expect((await migrated).notGranted).toEqual([])
  expect(await drift(second)).toEqual([])
})

test('a user who may not create roles can migrate, and gets the missing statements once', async () => {
  const db = await emptyDatabase()
  const owner = await createLoginRole(db)
  try {
    const [row] = await db.rows<{ name: string }>('SELECT current_database() AS name')
    await db.rows(`ALTER DATABASE ${row?.name} OWNER TO ${owner.name}`)
    const env = { DATABASE_URL: owner.url, OUTBOX_SCHEMA: schema }

    const first = await runCli(['migrate', '--json'], env)
    expect(first.status).toBe(0)
    expect(first.stderr.trimEnd().split('\n')).toHaveLength(1)
    const creating = ROLES.map((role) => `CREATE ROLE ${schema}_${role} NOLOGIN`)
    expect(first.stderr).toContain(`run \`${creating.join('; ')}\`, then \`customerio-outbox migrate\` again`)
    const { notGranted } = JSON.parse(first.stdout) as { notGranted: { statement: string; error: string }[] }
    expect(notGranted.slice(0, 4)).toEqual(
      creating.map((statement) => ({ statement, error: expect.stringContaining('permission denied') })),
    )

    await db.rows(creating.join(';'))
    const script = await runCli(['migrate', '--sql'], env)
    expect(script.stdout).toBe(`SELECT * FROM "${schema}".grant_roles();\n`)
    expect(await runCli(['migrate'], env)).toMatchObject({ status: 0, stderr: '' })
    expect(await drift(db)).toEqual([])
    expect((await runCli(['migrate', '--sql'], env)).stdout).toBe('-- nothing to do\n')
  } finally {
    await db.rows(`DROP SCHEMA IF EXISTS ${schema}, ${schema}_pgboss CASCADE`)
    await db.rows(`REASSIGN OWNED BY ${owner.name} TO current_user`)
    await owner.drop()
  }
})

test('migrate revokes added rights of the roles and PUBLIC, and keeps the rights of other users', async () => {
  const db = await emptyDatabase()
  await migrate({ connectionString: db.url, schema })
  const other = await createLoginRole(db)
  try {
    await db.rows(`GRANT SELECT ON ${schema}.intents TO ${schema}_viewer, PUBLIC, ${other.name}`)
    await db.rows(`GRANT SELECT (payload) ON ${schema}.dead_letters TO ${schema}_viewer`)
    await db.rows(`REVOKE EXECUTE ON FUNCTION ${schema}.enqueue_many FROM ${schema}_enqueue`)
    expect(await drift(db)).toHaveLength(4)
    await migrate({ connectionString: db.url, schema })
    expect(await drift(db)).toEqual([])
    const [row] = await db.rows(`SELECT has_table_privilege($1, $2, 'SELECT') AS kept`, [
      other.name,
      `${schema}.intents`,
    ])
    expect(row).toEqual({ kept: true })
  } finally {
    await other.drop()
  }
})

test('the script of migrate --sql creates the roles too', async () => {
  const db = await emptyDatabase()
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  await client.query(await migrationScript({ connectionString: db.url, schema }))
  await client.end()
  expect(await drift(db)).toEqual([])
  expect(await rolesThere(db)).toEqual(ROLES)
})
