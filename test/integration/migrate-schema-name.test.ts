import { once } from 'node:events'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { migrate, migrationScript } from '../../src/relay.ts'
import { dumpSchema } from '../../scripts/schema-dump.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const LONGEST = `m${'x'.repeat(39)}`

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase('empty')
  await migrate({ connectionString: db.url, schema: 'mail_outbox' })
})
afterAll(() => db.drop())

const dump = (schema: string) => db.transaction((client) => dumpSchema(client, schema))

describe('a schema of another name', () => {
  test('has all objects and pg-boss under that name, and none under the default name', async () => {
    const schemas = await db.rows<{ nspname: string }>(
      "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$|^public$' ORDER BY 1",
    )
    expect(schemas.map(({ nspname }) => nspname)).toEqual(['mail_outbox', 'mail_outbox_pgboss'])
  })

  test('equals the default schema apart from its name, and refers to no other schema', async () => {
    await migrate({ connectionString: db.url })
    const named = await dump('mail_outbox')
    expect(named).not.toMatch(/(?<!mail_)outbox[."]/)
    expect(named.replaceAll('mail_outbox', 'outbox')).toBe(await dump('outbox'))
  })

  test('accepts intents from createOutbox({ schema }), separate from another schema', async () => {
    const outbox = createOutbox({ schema: 'mail_outbox' })
    const enqueue = (of: typeof outbox) =>
      db.transaction((tx) => of.enqueue(tx, { operation: 'identify', customerId: 1 }, { dedupKey: 'k' }))
    const first = await enqueue(outbox)
    expect(await enqueue(outbox)).toEqual({ id: first.id, duplicate: true })
    expect((await enqueue(createOutbox())).duplicate).toBe(false)
    const found = await db.rows('SELECT id FROM mail_outbox.intents')
    expect(found).toEqual([{ id: first.id }])
  })

  test('sends wake-ups on its own channel', async () => {
    const listener = new pg.Client({ connectionString: db.url })
    await listener.connect()
    await listener.query('LISTEN "mail_outbox:wake"')
    await db.rows("SELECT setval('mail_outbox.notify_flag', 2)")
    const heard = once(listener, 'notification')
    const outbox = createOutbox({ schema: 'mail_outbox' })
    await db.transaction((tx) => outbox.enqueue(tx, [{ operation: 'identify', customerId: 1 }]))
    const [notification] = await heard
    expect(notification).toMatchObject({ channel: 'mail_outbox:wake' })
    await listener.end()
  })

  test('may have 40 characters', async () => {
    await migrate({ connectionString: db.url, schema: LONGEST })
    const outbox = createOutbox({ schema: LONGEST })
    await db.transaction((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 1 }))
    expect(await db.rows(`SELECT FROM ${LONGEST}.intents`)).toHaveLength(1)
  })
})

test.each(['', 'Outbox', 'out-box', '1outbox', 'a b', 'ö', 'x"; DROP SCHEMA public; --', `${LONGEST}x`])(
  'migrate, migrationScript and createOutbox reject the schema name %j',
  async (schema) => {
    const refusal = `Expected the outbox schema to be a lower-case identifier of 1 to 40 characters, got ${JSON.stringify(schema)}`
    await expect(migrate({ connectionString: db.url, schema })).rejects.toThrow(refusal)
    await expect(migrationScript({ connectionString: db.url, schema })).rejects.toThrow(refusal)
    expect(() => createOutbox({ schema })).toThrow(refusal)
  },
)
