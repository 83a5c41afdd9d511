/**
 * A test fails after each of these changes:
 * - if one of the functions that store readable payloads (migrations/0002_enqueue.sql) does not call `readable_workspace`;
 * - if `refuse_readable` refuses an erasure, or takes another operation;
 * - if `require_encryption` leaves the function of the former setting.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type EnqueueOptions, type Intent, intents } from '../../src/index.ts'
import { InvalidOptionError } from '../../src/intent/errors.ts'
import { migrate, migrationScript } from '../../src/relay.ts'
import {
  oldestAndNewest,
  type PostgresServer,
  startPostgresServer,
} from '../faults/support/servers/postgres-server.ts'
import { runCli } from '../support/cli.ts'
import type { TestDatabase } from '../support/database.ts'
import { newKey } from '../support/encryption.ts'
import { operate } from '../support/operate.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

const encryption = { keys: [newKey('k1')] }
const [plain, encrypted] = [createOutbox(), createOutbox({ encryption })]
const track = intents.track('u1', 'a')
const email = {
  operation: 'sendEmail',
  message: { to: 'a@b.c', identifiers: { id: 'u1' }, transactional_message_id: 1 },
} as const

describe.each(oldestAndNewest())('on $name', ({ major }) => {
  let server: PostgresServer
  let h: Harness
  let db: TestDatabase
  beforeAll(async () => {
    server = await startPostgresServer({ major })
    h = await startHarness({}, await server.createDatabase())
    db = h.db
  })
  beforeEach(async () => {
    await migrate({ connectionString: db.url, requireEncryption: false })
    await db.rows('TRUNCATE outbox.intents, outbox.dedup')
  })
  afterAll(async () => {
    await h.close()
    await server.close()
  })

  const require = (workspaces: boolean | readonly string[]) =>
    migrate({ connectionString: db.url, requireEncryption: workspaces })
  const store = (intent: Intent | readonly Intent[], options: EnqueueOptions = {}, by = plain) =>
    db.transaction((tx) => by.enqueue(tx, intent as Intent, options))
  /** Every way to store a readable payload in a workspace. */
  const readable = (workspace: string): Record<string, () => Promise<unknown>> => ({
    enqueue: () =>
      db.rows(`SELECT outbox.enqueue('track', '{"customerId":"u1","name":"a"}', workspace => $1)`, [
        workspace,
      ]),
    enqueue_many: () =>
      db.rows('SELECT * FROM outbox.enqueue_many($1)', [
        JSON.stringify([{ operation: 'track', payload: { customerId: 'u1', name: 'a' }, workspace }]),
      ]),
    'enqueue, by the client': () => store(email, { workspace }),
    'enqueue_many, by the client': () => store([email], { workspace }),
    enqueue_wire: () => store(track, { workspace }),
    enqueue_wire_with: () => store(track, { workspace, dedupKey: 'k' }),
    enqueue_wire_many: () => store([track, track], { workspace }),
  })
  const formats = async () =>
    (await db.rows<{ format: number }>('SELECT format FROM outbox.intents ORDER BY seq')).map(
      ({ format }) => format,
    )

  test('a workspace that requires encryption refuses every readable payload, and says what to do', async () => {
    await require(['default', 'brand'])
    for (const workspace of ['default', 'brand']) {
      for (const [name, call] of Object.entries(readable(workspace))) {
        const error = await call().catch((refused: unknown) => refused)
        expect([name, (error as Error).message]).toEqual([
          name,
          expect.stringContaining(
            `workspace '${workspace}' takes encrypted payloads only, and this payload is readable`,
          ),
        ])
        const cause = ((error as Error).cause ?? error) as { code?: string; hint?: string }
        expect([cause.code, cause.hint]).toEqual([
          '55000',
          expect.stringContaining('createOutbox({ encryption })'),
        ])
      }
      await store(track, { workspace }, encrypted)
      await store([track, email], { workspace }, encrypted)
    }
    expect(await formats()).toEqual([3, 3, 3, 3, 3, 3])
    for (const call of Object.values(readable('other'))) await call()
  })

  test('all workspaces may require it, and open sessions obey at once', async () => {
    const open = await db.pool.connect()
    await open.query(`SELECT outbox.enqueue('track', '{"customerId":"u1","name":"a"}')`)
    await require(true)
    await expect(
      open.query(`SELECT outbox.enqueue('track', '{"customerId":"u1","name":"a"}')`),
    ).rejects.toThrow('takes encrypted payloads only')
    await expect(store(track, { workspace: 'any' })).rejects.toThrow('takes encrypted payloads only')
    await require(false)
    await open.query(`SELECT outbox.enqueue('track', '{"customerId":"u1","name":"a"}')`)
    open.release()
    for (const call of Object.values(readable('any'))) await call()
  })

  test('what only names the person is taken, so an erasure goes on', async () => {
    await require(true)
    for (const operation of ['destroy', 'suppress', 'unsuppress']) {
      await db.rows(`SELECT outbox.enqueue($1, '{"customerId":"u1"}')`, [operation])
      await db.rows('SELECT outbox.enqueue_many($1)', [
        JSON.stringify([{ operation, payload: { customerId: 'u1' } }]),
      ])
    }
    await db.rows('TRUNCATE outbox.intents')
    await store(track, {}, encrypted)
    await store(intents.track('u2', 'a'), {}, encrypted)
    await h.relay({ workspaces: { other: { appApiKey: 'k', appUrl: h.fake.url } } })
    const { apply, ended } = operate(h)
    const { result } = await ended(await apply('erase', { person: 'u1' }, { also: 'destroy' }))
    expect(result).toMatchObject({ intents: 1 })
    expect(
      await db.rows('SELECT operation, ordering_key AS key, format FROM outbox.intents ORDER BY seq'),
    ).toEqual([
      { operation: 'track', key: 'u2', format: 3 },
      { operation: 'destroy', key: 'u1', format: 1 },
    ])
  })

  test('encrypted intents are stored alone, in an array, twice with a dedup key, and counted', async () => {
    await store(track, { dedupKey: 'k', sendAfter: new Date(Date.now() + 60_000) }, encrypted)
    expect(await store(track, { dedupKey: 'k' }, encrypted)).toMatchObject({ duplicate: true })
    await store([track, email, intents.destroy('u2')], { dedup: 'content' }, encrypted)
    expect(await db.rows('SELECT key, count FROM outbox.encryption_keys_in_use()')).toEqual([
      { key: 'k1', count: '4' },
    ])
    await expect(
      db.rows(`SELECT outbox.enqueue_encrypted('track', '{}', NULL, ordering_key => 'u1')`),
    ).rejects.toThrow('the payload is no envelope')
  })
})

describe('migrate', () => {
  let h: Harness
  beforeAll(async () => {
    h = await startHarness()
  })
  afterAll(() => h.close())
  const required = () => h.db.rows('SELECT outbox.encrypted_workspaces() AS found')

  test('installs, keeps, replaces and removes the requirement', async () => {
    const run = async (...flags: string[]) => {
      const { status, stdout, stderr } = await runCli(['migrate', ...flags], { DATABASE_URL: h.db.url })
      expect([status, stderr]).toEqual([0, ''])
      return stdout
    }
    expect(await run('--require-encryption', 'brand', 'default')).toContain(
      'encryption is required in the workspaces brand, default',
    )
    expect(await run()).not.toContain('encryption')
    expect(await required()).toEqual([{ found: ['brand', 'default'] }])
    expect(await run('--require-encryption')).toContain('encryption is required in every workspace')
    expect(await required()).toEqual([{ found: ['*'] }])
    expect(JSON.parse(await run('--no-require-encryption', '--json'))).toMatchObject({ encrypted: [] })
    expect(await required()).toEqual([{ found: [] }])
  })

  test('prints the requirement as SQL, unless it is there already', async () => {
    const connectionString = h.db.url
    const script = await migrationScript({ connectionString, requireEncryption: ['brand'] })
    expect(script).toContain(`SELECT "outbox".require_encryption('{brand}');`)
    await h.db.rows(script)
    expect(await required()).toEqual([{ found: ['brand'] }])
    expect(await migrationScript({ connectionString, requireEncryption: ['brand'] })).not.toContain(
      'require_encryption',
    )
    expect(await migrationScript({ connectionString })).not.toContain('require_encryption')
  })

  test.each<unknown>(['brand', 1, [''], ["a'b"], [1], ['*']])(
    'refuses requireEncryption: %j',
    async (requireEncryption) => {
      const options = { connectionString: h.db.url, requireEncryption: requireEncryption as string[] }
      await expect(migrate(options)).rejects.toThrow(InvalidOptionError)
      await expect(migrate(options)).rejects.toThrow(
        'Expected requireEncryption to be true, false or a list of workspaces',
      )
    },
  )
})
