import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { GOLDENS } from '../support/wire/goldens.ts'
import { Sender } from '../support/wire/sent-text.ts'

const outbox = createOutbox()
let db: TestDatabase
let sender: Sender
beforeAll(async () => {
  db = await createTestDatabase()
  sender = await Sender.start(db)
})
afterAll(async () => {
  await sender.close()
  await db.drop()
})

describe('the signatures match the documentation', () => {
  test.each([
    [
      'enqueue',
      "operation text, payload jsonb, dedup_key text DEFAULT NULL::text, dedup_window interval DEFAULT '7 days'::interval, " +
        'ordering_key text DEFAULT NULL::text, send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, ' +
        'expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, ' +
        "workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, " +
        'plan_checked boolean DEFAULT false, OUT id uuid, OUT duplicate boolean',
      'record', // one row: a set would be materialised before it is read
    ],
    [
      'enqueue_many',
      'intents jsonb, numbers_checked boolean DEFAULT false, plan_checked boolean DEFAULT false',
      'TABLE(ordinal integer, id uuid, duplicate boolean)',
    ],
  ])('%s', async (name, args, result) => {
    const found = await db.rows(
      `SELECT pg_get_function_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS result,
              p.prosecdef AS definer, p.proconfig AS config, p.provolatile AS volatility
       FROM pg_proc p WHERE p.pronamespace = 'outbox'::regnamespace AND p.proname = $1`,
      [name],
    )
    const config = ['search_path=pg_catalog, pg_temp']
    expect(found).toEqual([{ args, result, definer: true, config, volatility: 'v' }])
  })
})

const TRACK_INTENTS: readonly Intent[] = [
  { operation: 'identify', customerId: 42, attributes: { gone: null, plan: 'pro', tags: ['a'] } },
  { operation: 'track', identifiers: { email: 'jane@example.com' }, name: 'placed', data: { n: 1.5 } },
  { operation: 'trackPageView', customerId: 'u', path: '/a?b=c' },
  { operation: 'trackScreen', customerId: 'u', name: 'Home', timestamp: 1_700_000_000 },
  { operation: 'addDevice', customerId: 'u', deviceId: 'd', platform: 'ios', data: { last_used: 1 } },
  { operation: 'deleteDevice', customerId: 'u', deviceId: 'd' },
  { operation: 'suppress', identifiers: { phone: '+15550100' } },
  { operation: 'unsuppress', identifiers: { cio_id: 'a1b2' } },
  { operation: 'destroy', identifiers: { id: 7 } },
  { operation: 'mergeCustomers', primary: { email: 'a@example.com' }, secondary: { id: 'b' } },
  {
    operation: 'entity',
    entity: { type: 'object', action: 'identify', identifiers: { object_type_id: '1', object_id: 'acme' } },
  },
]

const written = new Set<string>(TRACK_INTENTS.map(({ operation }) => operation))
/** One intent of each operation: those above, and the first golden of every other operation. */
const INTENTS: readonly Intent[] = [
  ...TRACK_INTENTS,
  ...OPERATIONS.filter((operation) => !written.has(operation)).map((operation) => {
    const golden = GOLDENS.find((one) => one.operation === operation)
    return { operation, ...(golden?.payload as object) } as Intent
  }),
]

test('the list of intents covers every operation', () => {
  expect(INTENTS.map(({ operation }) => operation).toSorted()).toEqual(OPERATIONS.toSorted())
})

const ROW = `SELECT id, destination, lane, operation, ordering_key, priority, on_ambiguous, send_after, expires_at
             FROM outbox.intents WHERE id = $1`

test.each(INTENTS.map((intent) => [intent.operation, intent] as const))(
  '%s: plain SQL, enqueue_many and TypeScript store the same row, and it is sent in the same bytes',
  async (operation, intent) => {
    const { operation: _, ...payload } = intent
    const { id: typed } = await db.transaction((tx) => outbox.enqueue(tx, intent))
    const [plain] = await db.rows<{ id: string }>('SELECT id FROM outbox.enqueue($1, $2)', [
      operation,
      payload,
    ])
    const [many] = await db.rows<{ id: string }>('SELECT id FROM outbox.enqueue_many($1)', [
      JSON.stringify([{ operation, payload }]),
    ])
    const ids = [typed, plain?.id ?? '', many?.id ?? '']
    const rows = await Promise.all(ids.map((id) => db.rows(ROW, [id])))
    const [first, ...others] = rows.flat().map(({ id: _id, ...row }) => row)
    expect(first).toMatchObject({ operation, priority: 'normal', on_ambiguous: 'park' })
    expect(others).toEqual([first, first])
    const [body, ...bodies] = await sender.bodies(ids)
    expect(bodies).toEqual([body, body])
  },
)

test('every parameter has a name for named notation', async () => {
  const [given] = await db.rows<{ id: string }>(
    `SELECT (outbox.enqueue(
       operation => 'identify', payload => '{"customerId": 1}', dedup_key => 'named', dedup_window => '1 hour',
       ordering_key => 'key', send_after => now() + interval '1 day', expires_at => now() + interval '2 days',
       workspace => 'eu', on_ambiguous => 'resend', priority => 'bulk')).id`,
  )
  const [row] = await db.rows(
    `SELECT i.*, extract(epoch FROM d.expires_at - i.enqueued_at)::int AS "window"
     FROM outbox.intents i JOIN outbox.dedup d ON d.intent_id = i.id WHERE d.key = 'named' AND d.workspace = 'eu'`,
  )
  expect(row).toMatchObject({
    id: given?.id,
    destination: 'eu/track',
    lane: -1,
    ordering_key: 'key',
    priority: 'bulk',
    on_ambiguous: 'resend',
    window: 3600,
  })
})

test('a trigger enqueues in the transaction of the write that fires it', async () => {
  await db.rows('CREATE TABLE orders (id int PRIMARY KEY, customer text)')
  await db.rows(
    `CREATE FUNCTION order_placed() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       PERFORM outbox.enqueue('track', jsonb_build_object('customerId', new.customer, 'name', 'order_placed'),
                              dedup_key => 'order:' || new.id);
       RETURN new;
     END $$`,
  )
  await db.rows('CREATE TRIGGER placed AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_placed()')
  await db.rows("INSERT INTO orders SELECT n, 'from trigger' FROM generate_series(1, 3) n")
  const rolledBack = await db.begin()
  await rolledBack.query("INSERT INTO orders VALUES (4, 'from trigger')")
  await rolledBack.query('ROLLBACK')
  rolledBack.release()
  const found = await db.rows("SELECT payload FROM outbox.intents WHERE ordering_key = 'from trigger'")
  expect(found).toEqual(Array(3).fill({ payload: { customerId: 'from trigger', name: 'order_placed' } }))
})

describe('enqueue_many', () => {
  const many = (intents: unknown) =>
    db.rows<{ ordinal: number; id: string; duplicate: boolean }>('SELECT * FROM outbox.enqueue_many($1)', [
      JSON.stringify(intents),
    ])
  const payload = { customerId: 'many' }

  test('a null and a missing field mean the default, an unknown field is ignored', async () => {
    const nulls = Object.fromEntries(
      ['dedup_key', 'dedup_window', 'ordering_key', 'send_after', 'expires_at'].map((name) => [name, null]),
    )
    const results = await many([
      { operation: 'identify', payload },
      { operation: 'identify', payload, ...nulls, workspace: null, on_ambiguous: null, priority: null },
      { operation: 'identify', payload, unknown: { a: 1 } },
      { operation: 'identify', payload, dedup_key: 'default window', dedup_window: null },
    ])
    expect(results.map(({ ordinal, duplicate }) => [ordinal, duplicate])).toEqual(
      [1, 2, 3, 4].map((n) => [n, false]),
    )
    const rows = await Promise.all(results.map(({ id }) => db.rows(ROW, [id])))
    const stripped = rows.flat().map(({ id: _id, ...row }) => row)
    expect(stripped).toEqual(Array(4).fill(stripped[0]))
    const windows = await db.rows(
      "SELECT expires_at > now() + interval '6 days 23 hours' AS week FROM outbox.dedup WHERE key = 'default window'",
    )
    expect(windows).toEqual([{ week: true }])
  })

  test('accepts times with a zone and intervals as Postgres writes them', async () => {
    const year = new Date().getUTCFullYear() + 2
    const [result] = await many([
      {
        operation: 'identify',
        payload,
        dedup_key: 'times',
        dedup_window: '1 day 02:00:00.5',
        send_after: `${year}-01-01T02:00:00.25+02:00`,
        expires_at: `${year}-01-02 00:00:00Z`,
      },
    ])
    const [row] = await db.rows(
      `SELECT i.send_after, i.expires_at, extract(epoch FROM d.expires_at - i.enqueued_at)::float8 AS "window"
       FROM outbox.intents i JOIN outbox.dedup d ON d.intent_id = i.id WHERE i.id = $1`,
      [result?.id],
    )
    expect(row).toEqual({
      send_after: new Date(`${year}-01-01T00:00:00.250Z`),
      expires_at: new Date(`${year}-01-02T00:00:00Z`),
      window: 26 * 3600 + 0.5,
    })
  })

  test('returns no rows for an empty array', async () => {
    expect(await many([])).toEqual([])
  })

  test('stores each intent in its destination and lane, in the order of the array', async () => {
    const results = await many([
      { operation: 'identify', payload, workspace: 'a', priority: 'bulk' },
      { operation: 'identify', payload, workspace: 'b', send_after: new Date(Date.now() + 86_400_000) },
      { operation: 'identify', payload, workspace: 'a' },
    ])
    const rows = await db.rows<{ destination: string; lane: number; id: string }>(
      'SELECT destination, lane, id FROM outbox.intents WHERE id = ANY ($1) ORDER BY seq',
      [results.map(({ id }) => id)],
    )
    expect(rows.map(({ id }) => id)).toEqual(results.map(({ id }) => id))
    expect(rows.map(({ destination }) => destination)).toEqual(['a/track', 'b/track', 'a/track'])
    const [bulk, waiting, normal] = rows.map(({ lane }) => lane)
    expect([bulk, waiting]).toEqual([(normal ?? Number.NaN) + 16, -1])
  })
})
