import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const app = `outbox_app_${randomBytes(6).toString('hex')}`
const viewer = `outbox_viewer_${randomBytes(6).toString('hex')}`

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  await db.rows(`CREATE ROLE ${app}`)
  await db.rows(`GRANT USAGE ON SCHEMA outbox TO ${app}`)
  await db.rows(
    `GRANT EXECUTE ON FUNCTION outbox.enqueue(text, jsonb, text, interval, text, timestamptz, timestamptz, text,
       text, text), outbox.enqueue_many(jsonb) TO ${app}`,
  )
  await db.rows(`CREATE ROLE ${viewer}`)
  await db.rows(`GRANT USAGE ON SCHEMA outbox TO ${viewer}`)
})
afterAll(async () => {
  await db.rows(`DROP OWNED BY ${app}, ${viewer}`)
  await db.rows(`DROP ROLE ${app}, ${viewer}`)
  await db.drop()
})

/** Runs `work` in a transaction as `role`. */
async function as<T>(role: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  return db.transaction(async (client) => {
    await client.query(`SET LOCAL ROLE ${role}`)
    return work(client)
  })
}

describe('a role with USAGE on the schema and EXECUTE on enqueue', () => {
  test('enqueues, one and many, with dedup', async () => {
    const outbox = createOutbox()
    const intent = { operation: 'identify', customerId: 1 } as const
    const results = await as(app, async (tx) => [
      await outbox.enqueue(tx, intent, { dedupKey: 'k' }),
      ...(await outbox.enqueue(tx, [intent], { dedupKey: () => 'k' })),
    ])
    expect(results.map(({ duplicate }) => duplicate)).toEqual([false, true])
  })

  test('can read, change and empty no table, no view and no sequence', async () => {
    const relations = await db.rows<{ name: string; kind: string }>(
      `SELECT c.oid::regclass::text AS name, c.relkind AS kind FROM pg_class c
       WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')`,
    )
    expect(relations.length).toBeGreaterThan(15)
    const attempts = relations.flatMap(({ name, kind }) => {
      if (kind === 'S') return [`SELECT nextval('${name}')`, `SELECT setval('${name}', 1)`]
      const reading = `SELECT FROM ${name} LIMIT 1`
      if (kind === 'v') return [reading]
      return [reading, `INSERT INTO ${name} DEFAULT VALUES`, `DELETE FROM ${name}`, `TRUNCATE ${name}`]
    })
    for (const attempt of attempts) {
      const refused = as(app, (client) => client.query(attempt))
      await expect(refused, attempt).rejects.toMatchObject({ code: '42501' })
    }
  })

  test('can call no other function, but for the estimate that the backlog view needs', async () => {
    const callable = await db.rows(
      `SELECT proname AS name FROM pg_proc
       WHERE pronamespace = 'outbox'::regnamespace AND has_function_privilege($1, oid, 'EXECUTE') ORDER BY 1`,
      [app],
    )
    expect(callable.map(({ name }) => name)).toEqual(['enqueue', 'enqueue_many', 'estimate_dead_letters'])
  })
})

test('a role with SELECT on the views reads them all, the estimate of a long backlog included', async () => {
  const views = ['backlog', 'breaker_state', 'dead_letter_summary', 'throughput', 'relay_fleet', 'health']
  await db.rows(`GRANT SELECT ON ${views.map((view) => `outbox.${view}`).join(', ')} TO ${viewer}`)
  await db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     SELECT 'long/track', 0, gen_random_uuid(), 'identify', '{}', 'k', now() FROM generate_series(1, 100001)`,
  )
  const [backlog] = await as(viewer, async (client) => {
    for (const view of views) await client.query(`SELECT * FROM outbox.${view}`)
    return (await client.query("SELECT * FROM outbox.backlog WHERE destination = 'long/track'")).rows
  })
  expect(backlog).toMatchObject({ estimated: true })
  await expect(as(viewer, (client) => client.query('SELECT FROM outbox.intents'))).rejects.toThrow(
    'permission denied',
  )
})

test('functions of the same names, first in the search path, are not called', async () => {
  await db.rows('CREATE SCHEMA hostile')
  const refuse = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$"
  const hostile = [
    'new_id() RETURNS uuid',
    'api_of(text) RETURNS text',
    'ordering_key_of(text, jsonb) RETURNS text',
    'lane_of(text, text, text) RETURNS smallint',
    'wake_idle_relay() RETURNS void',
    'check_intent(text, jsonb, text, interval, text, timestamptz, timestamptz, text, text, text) RETURNS void',
    'gen_random_uuid() RETURNS uuid',
    'clock_timestamp() RETURNS timestamptz',
    'now() RETURNS timestamptz',
    'uuid_send(uuid) RETURNS bytea',
    'octet_length(text) RETURNS integer',
    'jsonb_typeof(jsonb) RETURNS text',
    'hashtextextended(text, bigint) RETURNS bigint',
    'pg_notify(text, text) RETURNS void',
    'jsonb_to_recordset(jsonb) RETURNS SETOF record',
    'jsonb_path_exists(jsonb, jsonpath) RETURNS boolean',
    'quote_literal(text) RETURNS text',
    'to_char(timestamp, text) RETURNS text',
  ]
  for (const signature of hostile) await db.rows(`CREATE FUNCTION hostile.${signature} ${refuse}`)
  await db.rows('CREATE TABLE hostile.intents AS TABLE outbox.intents WITH NO DATA')
  await db.rows(
    'CREATE FUNCTION hostile.concat(text, text) RETURNS text LANGUAGE sql AS $$ SELECT NULL::text $$',
  )
  await db.rows('CREATE OPERATOR hostile.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.concat)')
  const hijack = 'SET LOCAL search_path = hostile, pg_catalog'
  const bare = db.transaction((client) => client.query(hijack).then(() => client.query('SELECT new_id()')))
  await expect(bare).rejects.toThrow('hijacked')
  await db.transaction(async (client) => {
    await client.query(hijack)
    await client.query("SELECT setval('outbox.relay_idle', 2)")
    await client.query(
      `SELECT * FROM outbox.enqueue('identify', '{"customerId": "attacked"}', dedup_key => 'attacked')`,
    )
    await client.query(
      `SELECT * FROM outbox.enqueue_many(
         '[{"operation": "identify", "payload": {"customerId": "attacked"}, "dedup_key": "k2"}]')`,
    )
    await client.query('SELECT outbox.ensure_partitions(), outbox.prune_delivered($1)', ['1 day'])
    await client.query('SELECT * FROM outbox.backlog')
    await client.query('SELECT * FROM outbox.health')
  })
  const found = await db.rows("SELECT destination FROM outbox.intents WHERE ordering_key = 'attacked'")
  expect(found).toEqual([{ destination: 'default/track' }, { destination: 'default/track' }])
})
