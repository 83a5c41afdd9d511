import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'

/** Functions that a hostile database user could create to hijack a function that runs with its owner's rights. */
const HOSTILE_FUNCTIONS = [
  'new_id() RETURNS uuid',
  'api_of(text) RETURNS text',
  'ordering_key_of(text, jsonb) RETURNS text',
  'lane_of(text, text, text) RETURNS smallint',
  'wake_relays(text, integer) RETURNS boolean',
  'check_intent(text, jsonb, text, interval, text, timestamptz, timestamptz, text, text, text, timestamptz, boolean) RETURNS text',
  'normalize_ids(jsonb) RETURNS jsonb',
  'altered_number(jsonb) RETURNS numeric',
  'quote_for_error(text) RETURNS text',
  'check_destination(text) RETURNS void',
  'gen_random_uuid() RETURNS uuid',
  'clock_timestamp() RETURNS timestamptz',
  'now() RETURNS timestamptz',
  'uuid_send(uuid) RETURNS bytea',
  'octet_length(text) RETURNS integer',
  'jsonb_typeof(jsonb) RETURNS text',
  'hashtextextended(text, bigint) RETURNS bigint',
  'pg_notify(text, text) RETURNS void',
  'pg_notification_queue_usage() RETURNS float8',
  'notify(text, text) RETURNS boolean',
  'jsonb_to_recordset(jsonb) RETURNS SETOF record',
  'jsonb_path_exists(jsonb, jsonpath) RETURNS boolean',
  'pg_sequence_last_value(regclass) RETURNS bigint',
  'quote_literal(text) RETURNS text',
  'to_char(timestamp, text) RETURNS text',
  'btrim(text) RETURNS text',
  '"left"(text, integer) RETURNS text',
]
const HOSTILE_TABLES = ['intents', 'dedup', 'breakers', 'breaker_transitions', 'lanes', 'delivered']

let db: TestDatabase
let attacker: LoginRole
let client: pg.Client
beforeAll(async () => {
  db = await createTestDatabase()
  attacker = await createLoginRole(db, 'outbox_enqueue, outbox_operator, outbox_relay')
  const [row] = await db.rows<{ name: string }>('SELECT current_database() AS name')
  await db.rows(`GRANT CREATE ON DATABASE ${row?.name} TO ${attacker.name}`)
  client = new pg.Client({ connectionString: attacker.url })
  await client.connect()
  await client.query('CREATE SCHEMA hostile')
  const trap = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$"
  for (const signature of HOSTILE_FUNCTIONS)
    await client.query(`CREATE FUNCTION hostile.${signature} ${trap}`)
  for (const operand of ['text', 'jsonb', 'timestamptz']) {
    await client.query(`CREATE FUNCTION hostile.op(${operand}, ${operand}) RETURNS boolean ${trap}`)
    for (const name of ['=', '<>', '<=', '>', '<']) {
      await client.query(
        `CREATE OPERATOR hostile.${name} (LEFTARG = ${operand}, RIGHTARG = ${operand}, FUNCTION = hostile.op)`,
      )
    }
  }
  await client.query(`CREATE FUNCTION hostile.concat(text, text) RETURNS text ${trap}`)
  await client.query(
    'CREATE OPERATOR hostile.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.concat)',
  )
  for (const name of HOSTILE_TABLES) {
    await client.query(`CREATE TABLE hostile.${name} (destination text, state text, lane smallint)`)
    await client.query(`CREATE TEMP TABLE ${name} (destination text, state text, lane smallint)`)
  }
  await client.query('SET search_path = pg_temp, hostile, pg_catalog')
})
afterAll(async () => {
  await client.end()
  await attacker.drop()
  await db.drop()
})

test('the traps work: unqualified names resolve to them', async () => {
  await expect(client.query('SELECT new_id()')).rejects.toThrow(`hijacked as ${attacker.name}`)
  await expect(client.query("SELECT 'a'::text = 'b'::text")).rejects.toThrow('hijacked')
})

test.each([
  `SELECT * FROM outbox.enqueue('identify', '{"customerId": "attacked"}', dedup_key => 'k1')`,
  `SELECT * FROM outbox.enqueue('identify', '{"customerId": "attacked"}', dedup_key => 'k1')`,
  `SELECT * FROM outbox.enqueue('track', '{"customerId": "attacked"}', send_after => CURRENT_TIMESTAMP + interval '1 day')`,
  `SELECT * FROM outbox.enqueue_many('[{"operation": "identify", "payload": {"customerId": "attacked"}, "dedup_key": "k2"}]')`,
  `SELECT * FROM outbox.enqueue_wire_with('track', 'email', 'Attacked', 'n', '{"a":1}', NULL, dedup_key => 'k3', ordering_key => 'o')`,
  `SELECT * FROM outbox.enqueue_wire('track', 'id', 'Another', 'n', '{"a":1}', NULL)`,
  `SELECT * FROM outbox.enqueue_wire_many('{track}', '{email}', '{Other}', '{n}', 'null', '{-1}', dedup_keys => '{k4}')`,
  `SELECT outbox.payload_of(2::smallint, 'track', '{"identifiers":{"id":"u"},"name":"n","timestamp":1}', CURRENT_TIMESTAMP)`,
  `SELECT outbox.pause('default/track', 'because')`,
  `SELECT outbox.resume('default/track')`,
  'SELECT outbox.ensure_partitions()',
  `SELECT outbox.prune_delivered('1 day')`,
  'SELECT * FROM outbox.write_horizon()',
  `SELECT outbox.estimate_dead_letters('x'' OR true; DROP TABLE outbox.intents; --', 'track', 'rejected')`,
  'SELECT * FROM outbox.backlog',
  'SELECT * FROM outbox.lane_heads',
  'SELECT * FROM outbox.dead_letter_summary',
  'SELECT * FROM outbox.health',
])('%s calls no hostile function', async (statement) => {
  await expect(client.query(statement)).resolves.toBeDefined()
})

test("intents are stored in the outbox and not in the attacker's tables", async () => {
  const found = await db.rows(
    "SELECT destination, lane = -1 AS waits FROM outbox.intents WHERE ordering_key = 'attacked' ORDER BY seq",
  )
  expect(found).toEqual([
    { destination: 'default/track', waits: false },
    { destination: 'default/track', waits: true },
    { destination: 'default/track', waits: false },
  ])
  expect(await db.rows('SELECT state FROM outbox.breakers')).toEqual([{ state: 'closed' }])
  for (const name of HOSTILE_TABLES) {
    expect((await client.query(`SELECT FROM hostile.${name}`)).rows, name).toEqual([])
    expect((await client.query(`SELECT FROM pg_temp.${name}`)).rows, name).toEqual([])
  }
})

test('pause records the connected user, not the role that it has set', async () => {
  await client.query('SET ROLE outbox_operator')
  await client.query(`SELECT outbox.pause('default/app')`)
  await client.query('RESET ROLE')
  const [row] = await db.rows(`SELECT last_error FROM outbox.breakers WHERE destination = 'default/app'`)
  expect(row).toEqual({ last_error: `paused by ${attacker.name}` })
})
