/**
 * A test fails after each of these changes:
 * - without ` CASCADE` in `role_drift`, a right stays if the role has passed it to another role, and `migrate` reports 2BP01
 *   (others depend on it);
 * - if `grant_roles` catches only insufficient_privilege, `migrate` fails with 2BP01;
 * - without the steps for pg_roles and pg_auth_members attributes and memberships stay;
 * - without `SET ROLE` a right that another role has granted stays;
 * - with one round of corrections instead of two, column rights are missing until the next `migrate`.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/relay.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'

let schema: string
let db: TestDatabase
const logins: LoginRole[] = []
beforeAll(async () => {
  schema = `outbox_${randomBytes(6).toString('hex')}` // roles belong to the cluster: the test has its own
  db = await createTestDatabase('empty')
  await migrate({ connectionString: db.url, schema })
})
afterAll(async () => {
  await db.rows(`DROP SCHEMA IF EXISTS ${schema}, ${schema}_pgboss CASCADE`)
  for (const login of logins.splice(0)) await login.drop()
  const roles = await db.rows<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)',
    [`${schema}_`],
  )
  for (const { rolname } of roles) await db.rows(`DROP ROLE ${rolname}`)
  await db.drop()
})

async function login(can = ''): Promise<LoginRole> {
  const role = await createLoginRole(db, undefined, can)
  logins.push(role)
  return role
}

const drift = async () =>
  (await db.rows<{ statement: string }>(`SELECT statement FROM ${schema}.role_drift()`)).map(
    ({ statement }) => statement,
  )

/** `grant_roles`, the last step of `migrate`, corrects every statement of `role_drift` and reports no failure. */
async function expectCorrected(): Promise<void> {
  expect(await db.rows(`SELECT * FROM ${schema}.grant_roles()`)).toEqual([])
  expect(await drift()).toEqual([])
}

async function may(role: string, table: string, privilege = 'SELECT'): Promise<boolean> {
  const [row] = await db.rows<{ may: boolean }>('SELECT has_table_privilege($1, $2, $3) AS may', [
    role,
    `${schema}.${table}`,
    privilege,
  ])
  return row?.may === true
}

test('52: a right that a role has passed to another role is revoked, and migrate succeeds', async () => {
  const third = await login()
  await db.rows(`GRANT SELECT ON ${schema}.dead_letters TO ${schema}_relay WITH GRANT OPTION`)
  await db.rows(
    `SET ROLE ${schema}_relay; GRANT SELECT ON ${schema}.dead_letters TO ${third.name}; RESET ROLE`,
  )
  expect(await drift()).toEqual([
    `REVOKE SELECT ON TABLE ${schema}.dead_letters FROM ${schema}_relay CASCADE`,
  ])
  await expectCorrected()
  expect(await may(`${schema}_relay`, 'dead_letters')).toBe(false)
  expect(await may(third.name, 'dead_letters')).toBe(false)
})

test('52: only the grant option of a required right is revoked', async () => {
  const third = await login()
  await db.rows(`GRANT SELECT ON ${schema}.intents TO ${schema}_relay WITH GRANT OPTION`)
  await db.rows(`SET ROLE ${schema}_relay; GRANT SELECT ON ${schema}.intents TO ${third.name}; RESET ROLE`)
  expect(await drift()).toEqual([
    `REVOKE GRANT OPTION FOR SELECT ON TABLE ${schema}.intents FROM ${schema}_relay CASCADE`,
  ])
  await expectCorrected()
  expect(await may(`${schema}_relay`, 'intents')).toBe(true)
  expect(await may(third.name, 'intents')).toBe(false)
})

test('52: a right that a role other than the owner has granted is revoked', async () => {
  const third = await login()
  await db.rows(`GRANT USAGE ON SCHEMA ${schema} TO ${third.name}`)
  await db.rows(`GRANT SELECT ON ${schema}.intents TO ${third.name} WITH GRANT OPTION`)
  await db.rows(`SET ROLE ${third.name}; GRANT SELECT ON ${schema}.intents TO ${schema}_viewer; RESET ROLE`)
  const statement = `REVOKE SELECT ON TABLE ${schema}.intents FROM ${schema}_viewer CASCADE`
  expect(await drift()).toEqual([`SET ROLE ${third.name}; ${statement}; RESET ROLE`])
  await expectCorrected()
  expect(await may(`${schema}_viewer`, 'intents')).toBe(false)
  expect(await may(third.name, 'intents')).toBe(true) // the role does not belong to the outbox
})

test('52: revoking a right on a table keeps the rights on its columns', async () => {
  await db.rows(`GRANT SELECT ON ${schema}.dedup TO ${schema}_relay`)
  await expectCorrected()
  expect(await may(`${schema}_relay`, 'dedup')).toBe(false)
  const [row] = await db.rows('SELECT has_column_privilege($1, $2, $3, $4) AS may', [
    `${schema}_relay`,
    `${schema}.dedup`,
    'key',
    'SELECT',
  ])
  expect(row).toEqual({ may: true })
})

test('52: attributes of the roles are removed', async () => {
  await db.rows(`ALTER ROLE ${schema}_viewer SUPERUSER LOGIN`)
  await db.rows(`ALTER ROLE ${schema}_relay CREATEDB CREATEROLE REPLICATION BYPASSRLS`)
  expect(await drift()).toEqual([
    `ALTER ROLE ${schema}_relay NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`,
    `ALTER ROLE ${schema}_viewer NOSUPERUSER NOLOGIN`,
  ])
  await expectCorrected()
})

test('52: memberships of the roles in other roles are revoked, and their own members stay', async () => {
  const member = await login()
  await db.rows(`GRANT ${schema}_viewer TO ${member.name}`)
  await db.rows(`GRANT ${schema}_relay TO ${schema}_enqueue`)
  await db.rows(`GRANT pg_read_all_data TO ${schema}_viewer`)
  expect(await drift()).toEqual([
    expect.stringMatching(`^REVOKE ${schema}_relay FROM ${schema}_enqueue( GRANTED BY \\w+)? CASCADE$`),
    expect.stringMatching(`^REVOKE pg_read_all_data FROM ${schema}_viewer( GRANTED BY \\w+)? CASCADE$`),
  ])
  await expectCorrected()
  expect(await may(member.name, 'health')).toBe(true)
  expect(await may(`${schema}_viewer`, 'intents')).toBe(false)
})

test('52: a procedure in the schema does not fail migrate', async () => {
  await db.rows(`CREATE PROCEDURE ${schema}.mine() LANGUAGE sql AS 'SELECT 1'`)
  expect(await drift()).toEqual([`REVOKE EXECUTE ON PROCEDURE ${schema}.mine() FROM PUBLIC CASCADE`])
  await expectCorrected()
  await db.rows(`DROP PROCEDURE ${schema}.mine`)
})

test('52: a user without the right to revoke can migrate, and gets the statements for a superuser', async () => {
  const owner = await login()
  const [row] = await db.rows<{ name: string }>('SELECT current_database() AS name')
  await db.rows(`ALTER DATABASE ${row?.name} OWNER TO ${owner.name}`)
  await db.rows(`DROP SCHEMA ${schema}, ${schema}_pgboss CASCADE`)
  await db.rows(`ALTER ROLE ${schema}_viewer SUPERUSER`)
  await db.rows(`GRANT pg_read_all_data TO ${schema}_enqueue`)
  try {
    const run = await runCli(['migrate'], { DATABASE_URL: owner.url, OUTBOX_SCHEMA: schema })
    expect(run.status).toBe(0)
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(run.stderr).toContain(`as a superuser run \`ALTER ROLE ${schema}_viewer NOSUPERUSER; REVOKE`)
    expect(await drift()).toHaveLength(2)
    expect(await db.rows(`SELECT * FROM ${schema}.grant_roles()`), 'by a superuser').toEqual([])
  } finally {
    await db.rows(`DROP SCHEMA IF EXISTS ${schema}, ${schema}_pgboss CASCADE`)
    await db.rows(`REASSIGN OWNED BY ${owner.name} TO current_user`)
  }
})
