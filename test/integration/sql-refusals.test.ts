import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

const VALID = { operation: 'identify', payload: { customerId: 1 } }
const REFUSED: readonly (readonly [string, fields: Record<string, unknown>, message: string])[] = [
  ['an unknown operation', { operation: 'trak' }, "outbox: unknown operation 'trak'"],
  [
    'an operation that the outbox does not have',
    { operation: 'sendWhatsApp' },
    "outbox: unknown operation 'sendWhatsApp'",
  ],
  ['no operation', { operation: null }, 'outbox: unknown operation NULL'],
  ['no payload', { payload: null }, 'outbox: identify: payload must be a JSON object, got NULL'],
  ['an array for a payload', { payload: [1] }, 'outbox: identify: payload must be a JSON object, got array'],
  ['a string for a payload', { payload: 'x' }, 'outbox: identify: payload must be a JSON object, got string'],
  [
    'a payload above twice the size limit',
    { payload: { customerId: 1, attributes: { a: 'x'.repeat(64_000) } } },
    'outbox: identify: payload is 64042 bytes as text, at most 64000 are allowed: Customer.io takes 32000 bytes for one operation',
  ],
  [
    'a payload without a person',
    { payload: { attributes: {} } },
    'outbox: identify: the payload names no person',
  ],
  ['an empty person', { payload: { customerId: '' } }, 'outbox: identify: the payload names no person'],
  [
    'an ordering key of 501 bytes',
    { ordering_key: 'x'.repeat(501) },
    'outbox: identify: ordering_key is 501 bytes, at most 500 are allowed',
  ],
  ['an empty dedup key', { dedup_key: '' }, 'outbox: identify: dedup_key is 0 bytes, 1 to 500 are allowed'],
  [
    'a dedup key of 502 bytes',
    { dedup_key: 'é'.repeat(251) },
    'outbox: identify: dedup_key is 502 bytes, 1 to 500 are allowed',
  ],
  [
    'a window of zero',
    { dedup_key: 'k', dedup_window: '0' },
    'outbox: identify: dedup_window must be greater than zero and at most 3653 days (ten years), got 00:00:00',
  ],
  [
    'an expires_at that is not later than send_after',
    { send_after: '2027-01-01', expires_at: '2027-01-01' },
    'outbox: identify: expires_at must be later than send_after',
  ],
  [
    'a workspace with a slash',
    { workspace: 'a/b' },
    "outbox: identify: workspace must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got 'a/b'",
  ],
  [
    'an unknown on_ambiguous',
    { on_ambiguous: 'retry' },
    "outbox: identify: on_ambiguous must be park or resend, got 'retry'",
  ],
  [
    'an unknown priority',
    { priority: 'high' },
    "outbox: identify: priority must be normal or bulk, got 'high'",
  ],
]

async function enqueue(fields: Record<string, unknown>): Promise<unknown> {
  const named = Object.keys(fields).map((name, i) => `${name} => $${i + 1}`)
  const values = Object.entries(fields).map(([name, value]) =>
    name === 'payload' && value !== null ? JSON.stringify(value) : value,
  )
  return db.rows(`SELECT * FROM outbox.enqueue(${named.join(', ')})`, values)
}

const enqueueMany = (elements: unknown) =>
  db.rows('SELECT * FROM outbox.enqueue_many($1)', [elements === null ? null : JSON.stringify(elements)])

describe('outbox.enqueue and outbox.enqueue_many reject with one clear message and store nothing', () => {
  test.each(REFUSED)('%s', async (_name, fields, message) => {
    const refusal = { message, code: '22023' }
    await expect(enqueue({ ...VALID, ...fields })).rejects.toMatchObject(refusal)
    await expect(enqueueMany([VALID, { ...VALID, ...fields }])).rejects.toMatchObject(refusal)
    expect(await db.rows('SELECT FROM outbox.intents UNION ALL SELECT FROM outbox.dedup')).toEqual([])
  })

  test.each([
    [
      'workspace',
      'outbox: identify: workspace must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got NULL',
    ],
    ['on_ambiguous', 'outbox: identify: on_ambiguous must be park or resend, got NULL'],
    ['priority', 'outbox: identify: priority must be normal or bulk, got NULL'],
  ])('an explicit NULL for %s', async (name, message) => {
    await expect(enqueue({ ...VALID, [name]: null })).rejects.toMatchObject({ message, code: '22023' })
  })

  test('an explicit NULL for the window of a key', async () => {
    await expect(enqueue({ ...VALID, dedup_key: 'k', dedup_window: null })).rejects.toMatchObject({
      message:
        'outbox: identify: dedup_window must be greater than zero and at most 3653 days (ten years), got NULL',
    })
  })

  test.each([
    ['NULL', null, 'outbox: enqueue_many takes a JSON array, got NULL'],
    ['an object', VALID, 'outbox: enqueue_many takes a JSON array, got object'],
    ['a string', 'x', 'outbox: enqueue_many takes a JSON array, got string'],
  ])('%s for an array of intents', async (_name, given, message) => {
    await expect(enqueueMany(given)).rejects.toMatchObject({ message, code: '22023' })
  })
})

describe('a check constraint rejects a row in an impossible state', () => {
  const intent = (changed: Record<string, string>) => {
    const row = {
      destination: "'default/track'",
      lane: '0',
      id: 'gen_random_uuid()',
      operation: "'identify'",
      payload: "'{}'",
      ordering_key: "'k'",
      enqueued_at: 'now()',
      ...changed,
    }
    return `INSERT INTO outbox.intents (${Object.keys(row)}) VALUES (${Object.values(row)})`
  }
  const dead = (reason: string) =>
    `INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
       on_ambiguous, enqueued_at, dead_at, reason)
     VALUES (gen_random_uuid(), 'd', 1, 1, 'identify', '{}', 'k', 'normal', 'park', now(), now(), '${reason}')`
  const breaker = (columns: string, values: string) =>
    `INSERT INTO outbox.breakers (destination, ${columns}) VALUES ('default/track', ${values})`

  test.each([
    ['a lane above the last', intent({ lane: '32' }), 'intents_lane'],
    ['a lane below those of held intents', intent({ lane: '-34', send_after: 'now()' }), 'intents_lane'],
    ['a scheduled intent without a time', intent({ lane: '-1' }), 'intents_scheduled_has_time'],
    ['a destination without an api', intent({ destination: "'default'" }), 'intents_destination'],
    ['a destination of an unknown api', intent({ destination: "'default/ftp'" }), 'intents_destination'],
    ['a dead letter with an unknown reason', dead('tired'), 'dead_letters_reason'],
    ['an unknown breaker state', breaker('state, opened_at', "'ajar', now()"), 'breakers_state'],
    ['an open breaker without opened_at', breaker('state', "'open'"), 'breakers_open_since'],
    [
      'a half-open breaker without a probe',
      breaker('state, opened_at', "'half_open', now()"),
      'breakers_probe',
    ],
    [
      'a closed breaker with a probe',
      breaker('probe_relay, probe_until', 'gen_random_uuid(), now()'),
      'breakers_probe',
    ],
    [
      'a probe without a lease',
      breaker('state, opened_at, probe_relay', "'half_open', now(), gen_random_uuid()"),
      'breakers_probe_lease',
    ],
    [
      'a claimed lane without taken_at',
      "INSERT INTO outbox.lanes (destination, lane, relay_id) VALUES ('d', 1, gen_random_uuid())",
      'lanes_holder',
    ],
  ])('%s', async (_name, statement, constraint) => {
    await expect(db.rows(statement)).rejects.toMatchObject({ code: '23514', constraint })
  })

  test('the corresponding valid rows are accepted', async () => {
    await db.rows(intent({}))
    await db.rows(intent({ lane: '-1', send_after: 'now()' }))
    await db.rows(dead('rejected'))
    await db.rows(
      breaker('state, opened_at, probe_relay, probe_until', "'half_open', now(), gen_random_uuid(), now()"),
    )
  })
})
