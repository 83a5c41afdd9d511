/**
 * A test fails after each of these changes:
 * - without the limits of times in `outbox.check_intent`, the refusals are missing and the property test fails;
 * - if `findReadyLanes` (src/store/lanes/find-ready-lanes.ts) or `settle` (src/store/lanes/settle.ts) subtracts times
 *   instead of epochs, no ordinary event arrives on PostgreSQL 14;
 * - if `readLane` ignores infinite times, no ordinary event arrives on any version;
 * - if `PollRecord.failed` counts nothing, health never reports failed polls.
 */
import { once } from 'node:events'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Relay } from '../../src/relay.ts'
import { readHealth } from '../../src/observe/views/read-health.ts'
import { namesOf } from '../../src/store/names.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import {
  type Call,
  extremeCall,
  extremeElement,
  extremeWireCall,
  ORDINARY_WIRE,
  PARAMETERS,
  WIRE_PARAMETERS,
} from './support/extreme-calls.ts'
import {
  oldestAndNewest,
  type PostgresServer,
  startPostgresServer,
} from './support/servers/postgres-server.ts'

/** Time limit for the arrival of an ordinary event. Milliseconds. */
const ARRIVES_MS = 5_000
/** Error codes of casts that Postgres refuses before it calls the function: the text is no time, interval, number or JSON. */
const CAST_ERRORS = new Set(['22007', '22008', '22015', '22003', '22P02', '22P05', '54001'])

describe.each(oldestAndNewest())('36: on $name', ({ major }) => {
  let server: PostgresServer
  let h: Harness
  let relay: Relay
  let caller: pg.Client
  const errors: Error[] = []

  beforeAll(async () => {
    server = await startPostgresServer({ major })
    h = await startHarness({}, await server.createDatabase())
    const role = await createLoginRole(h.db, 'outbox_enqueue')
    caller = new pg.Client({ connectionString: role.url })
    await caller.connect()
    await startRelay()
  })
  afterAll(async () => {
    await caller.end()
    await h.close()
    await server.close()
  })

  const startRelay = async () => {
    relay = await h.relay({ pollIntervalMs: 500 })
    relay.on('error', (error) => errors.push(error))
  }
  const health = () => readHealth(h.db.pool, namesOf(undefined))
  let others = 0
  const ordinaryEventArrives = async () => {
    const person = `other-${others++}`
    await caller.query(`SELECT outbox.enqueue('track', $1)`, [{ customerId: person, name: 'ordinary' }])
    await eventually(
      'the ordinary event',
      () => h.fake.applied.some(({ personKey }) => personKey === `id:${person}`),
      ARRIVES_MS,
    )
  }
  const expectAllIsWell = async () => {
    await ordinaryEventArrives()
    expect(errors).toEqual([])
    expect(relay.canPoll).toBe(true)
    const { status, reasons } = await health()
    // Dead letters, and intents of a workspace without a relay, affect only the caller.
    const unexpected = reasons.filter((reason) => !/dead letter|^(unknown|x+)\//.test(reason))
    expect({ status: status === 'down', unexpected }).toEqual({ status: false, unexpected: [] })
  }

  test.each([
    ['send_after', 'infinity', 'send_after must be a time from 1970 to ten years ahead, got infinity'],
    ['send_after', '-infinity', 'send_after must be a time from 1970 to ten years ahead, got -infinity'],
    [
      'send_after',
      '2999-01-01 00:00:00+00',
      /send_after must be a time from 1970 to ten years ahead, got 2999/,
    ],
    ['expires_at', 'infinity', 'expires_at must be a time from 1970 to 9999, got infinity'],
    ['expires_at', '-infinity', 'expires_at must be a time from 1970 to 9999, got -infinity'],
    ['dedup_window', '11 years', /dedup_window must be greater than zero and at most 3653 days/],
    ['dedup_window', '178000000 years', /dedup_window must be greater than zero and at most 3653 days/],
    // Postgres compares intervals with months of 30 days, so this one equals 7 days.
    [
      'dedup_window',
      '2147483647 days -71582788 months',
      /dedup_window must be greater than zero and at most 3653 days/,
    ],
    ['dedup_window', '-1 day', /dedup_window must be greater than zero and at most 3653 days/],
  ])('%s => %s is refused with one clear error', async (name, value, message) => {
    const call = {
      operation: 'track',
      payload: '{"customerId":"a","name":"b"}',
      dedup_key: 'k',
      [name]: value,
    }
    const expected = {
      code: '22023',
      message: typeof message === 'string' ? `outbox: track: ${message}` : expect.stringMatching(message),
    }
    await expect(enqueue(caller, call)).rejects.toMatchObject(expected)
    const element = { ...call, payload: JSON.parse(call.payload) }
    await expect(
      caller.query('SELECT outbox.enqueue_many($1)', [JSON.stringify([element])]),
    ).rejects.toMatchObject(expected)
  })

  test('existing rows with an infinite time are reported and block no other row', async () => {
    await relay.stop()
    await h.db.rows(`
      INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after,
                                  retry_at, attempts)
      SELECT 'default/track', lane, gen_random_uuid(), 'track', jsonb_build_object('customerId', key, 'name', 'n'), key,
             enqueued_at::timestamptz, send_after::timestamptz, retry_at::timestamptz, attempts
      FROM (VALUES (-1, 'waits', 'now', 'infinity', NULL, 0),
                   (0, 'enqueued', 'infinity', NULL, NULL, 0),
                   (1, 'before', '-infinity', NULL, NULL, 0),
                   (2, 'retried', 'now', NULL, 'infinity', 1),
                   (3, 'due', 'now', 'infinity', NULL, 0))
        AS v(lane, key, enqueued_at, send_after, retry_at, attempts)`)
    // The first poll of a relay reads all tables.
    await startRelay()
    await ordinaryEventArrives()
    await h.drained(ARRIVES_MS)
    expect(
      await h.db.rows('SELECT ordering_key, reason, message FROM outbox.dead_letters ORDER BY 1'),
    ).toEqual([
      {
        ordering_key: 'before',
        reason: 'invalid',
        message: 'Expected enqueued_at to be a time, got infinity',
      },
      {
        ordering_key: 'enqueued',
        reason: 'invalid',
        message: 'Expected enqueued_at to be a time, got infinity',
      },
      { ordering_key: 'retried', reason: 'invalid', message: 'Expected retry_at to be a time, got infinity' },
    ])
    expect(errors).toEqual([])
    expect((await health()).reasons).toContain(
      'default/track has 1 scheduled intent with an infinite send_after, which no relay will send: delete them, or set a time',
    )
    // The row stays, because no relay serves its workspace.
    await h.db.rows(
      `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after)
       VALUES ('other/track', -1, gen_random_uuid(), 'track', '{}', 'never due', now(), '-infinity')`,
    )
    expect((await health()).reasons.join()).not.toContain('other/track')
    // Operators and metrics read these views.
    for (const view of ['backlog', 'throughput', 'lane_heads', 'dead_letter_summary', 'relay_fleet'])
      await h.db.rows(`SELECT * FROM outbox.${view}`)
    await h.db.rows('DELETE FROM outbox.intents')
    await expectAllIsWell()
  })

  test('no call by the role with the fewest rights stops another person’s event, a poll, or a view', async () => {
    const batch = fc.array(extremeCall, { minLength: 15, maxLength: 15 })
    const checked = fc.constantFrom('true', 'false', null)
    const array = fc.tuple(fc.array(extremeElement, { maxLength: 4 }), checked)
    const arrays = fc.array(array, { minLength: 5, maxLength: 5 })
    const wires = fc.array(extremeWireCall, { minLength: 20, maxLength: 20 })
    let taken = 0
    let takenTexts = 0
    await fc.assert(
      fc.asyncProperty(batch, arrays, wires, async (calls, many, texts) => {
        for (const call of calls) taken += await attempt(() => enqueue(caller, call))
        for (const call of texts) {
          takenTexts += await attempt(() => enqueueWire(caller, call))
          const { operation, person_kind, person, name, attributes, occurred_at } = call
          const parts = { operation, person_kind, person, name, attributes, occurred_at } as Call
          takenTexts += await attempt(() => enqueueWire(caller, parts, 'enqueue_wire'))
          takenTexts += await attempt(() => enqueueWires(caller, [call, ORDINARY_WIRE]))
        }
        for (const [elements, numbersChecked] of many)
          taken += await attempt(() =>
            caller.query('SELECT outbox.enqueue_many($1::text::jsonb, $2::text::boolean)', [
              `[${elements.join(',')}]`,
              numbersChecked,
            ]),
          )
        await expectAllIsWell()
      }),
      { numRuns: 20, endOnFailure: true },
    )
    expect(taken).toBeGreaterThan(15)
    expect(takenTexts).toBeGreaterThan(15)
    for (const view of ['backlog', 'throughput', 'lane_heads', 'dead_letter_summary', 'relay_fleet'])
      await h.db.rows(`SELECT * FROM outbox.${view}`)
  })

  test('health reports a relay whose polls fail, until they succeed again', async () => {
    await h.db.rows('ALTER VIEW outbox.lane_watermarks RENAME TO away')
    const failed = once(relay, 'error')
    // A relay may keep a drained lane and find new intents there without a poll. It never keeps a bulk lane.
    await enqueue(caller, {
      operation: 'track',
      payload: '{"customerId":"late","name":"n"}',
      priority: 'bulk',
    })
    await failed
    const { status, reasons } = await eventually('a report', async () => {
      const found = await health()
      return found.reasons.some((reason) => reason.includes('cannot poll')) && found
    })
    expect(relay.canPoll).toBe(false)
    expect(status).toBe('down')
    expect(reasons.find((reason) => reason.includes('cannot poll'))).toMatch(
      /^relay [0-9a-f-]{36} on host \S+ cannot poll since [0-9: -]+ \S+: relation "outbox.lane_watermarks" does not exist$/,
    )
    await h.db.rows('ALTER VIEW outbox.away RENAME TO lane_watermarks')
    await eventually(
      'no report',
      async () => !(await health()).reasons.some((reason) => reason.includes('poll')),
    )
    expect(relay.canPoll).toBe(true)
    await ordinaryEventArrives()
  })
})

function enqueue(client: pg.Client, call: Call): Promise<unknown> {
  const named = Object.keys(call).map((name, n) => `${name} => $${n + 1}::text::${PARAMETERS[name]}`)
  return client.query(`SELECT outbox.enqueue(${named.join(', ')})`, Object.values(call))
}

function enqueueWire(client: pg.Client, call: Call, name = 'enqueue_wire_with'): Promise<unknown> {
  const named = Object.keys(call).map((name, n) => `${name} => $${n + 1}::text::${WIRE_PARAMETERS[name]}`)
  return client.query(`SELECT outbox.${name}(${named.join(', ')})`, Object.values(call))
}

/** Stores calls as one array, with the options of the first. */
function enqueueWires(client: pg.Client, calls: readonly [Call, ...Call[]]): Promise<unknown> {
  const absent: Record<string, string> = { name: '', dedup_key: '', occurred_at: '-1' }
  const of = (name: string) => calls.map((call) => call[name] ?? absent[name] ?? null)
  const arrays = { operations: 'operation', person_kinds: 'person_kind', persons: 'person', names: 'name' }
  const more = { ...arrays, occurred_at: 'occurred_at', dedup_keys: 'dedup_key' }
  const named = Object.entries(more).map(([parameter, name]) => ({
    text: `${parameter} => `,
    type: `${WIRE_PARAMETERS[name]}[]`,
    value: of(name),
  }))
  const texts = of('attributes').map((text) => text ?? 'null')
  const attributes = { text: 'attributes => ', type: 'text', value: texts.join('\u001e') }
  const options = Object.entries(calls[0]).filter(
    ([name]) => name !== 'attributes' && !Object.values(more).includes(name),
  )
  const all = [
    ...named,
    attributes,
    ...options.map(([name, value]) => ({ text: `${name} => `, type: `${WIRE_PARAMETERS[name]}`, value })),
  ]
  const text = all.map(
    (one, n) => `${one.text}$${n + 1}::${one.type.endsWith('[]') ? 'text[]' : 'text'}::${one.type}`,
  )
  return client.query(
    `SELECT outbox.enqueue_wire_many(${text.join(', ')})`,
    all.map(({ value }) => value),
  )
}

/** Returns 1 for an accepted call and 0 for a refused one. A refusal must be one short line of the outbox or of Postgres. */
async function attempt(call: () => Promise<unknown>): Promise<number> {
  try {
    await call()
    return 1
  } catch (error) {
    const { code, message, where } = error as pg.DatabaseError
    if (code === '22023' && message.startsWith('outbox: ')) expect(message.length).toBeLessThan(400)
    else {
      expect(CAST_ERRORS).toContain(code)
      // enqueue_wire itself reads the attributes, which are text.
      if (!where?.includes('outbox.enqueue_wire')) expect(where ?? '').not.toContain('function outbox.')
    }
    return 0
  }
}
