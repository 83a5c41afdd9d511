import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { recipientAllowlist } from '../../src/relay/destination/recipient-allowlist.ts'
import { PAYLOAD_FORMAT, WIRE_FORMAT } from '../../src/store/lanes/row-format.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { accepted, candidate } from '../support/intent-arbitraries.ts'
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

const IN_WIRE_FORM: readonly string[] = ['identify', 'track', 'trackPageView', 'trackScreen']

/**
 * Accepted intents of operations that are stored as wire text. The names in their objects are in the order in which jsonb
 * gives them back, so that bytes can be compared.
 */
async function people(count: number): Promise<Intent[]> {
  const generated = fc
    .sample(candidate, { numRuns: 20 * count, seed: 12 })
    .flatMap((value) => accepted(value) ?? [])
  const intents = generated.filter(({ operation }) => IN_WIRE_FORM.includes(operation)).slice(0, count)
  const rows = await db.rows<{ text: string }>(
    'SELECT value::text AS text FROM jsonb_array_elements($1::jsonb)',
    [JSON.stringify(intents)],
  )
  return rows.map(({ text }) => JSON.parse(text))
}

const ids = (results: readonly { readonly id: string }[]) => results.map(({ id }) => id)

test('an intent of a person is sent in the same bytes, whether it was stored as wire text or as its payload', async () => {
  const intents = await people(150)
  expect(new Set(intents.map(({ operation }) => operation))).toEqual(new Set(IN_WIRE_FORM))
  const [texts, singles] = await db.transaction(async (tx) => {
    const one = []
    for (const intent of intents) one.push(await outbox.enqueue(tx, intent))
    return [await outbox.enqueue(tx, intents), one]
  })
  const payloads = await db.rows<{ id: string }>('SELECT id FROM outbox.enqueue_many($1) ORDER BY ordinal', [
    JSON.stringify(intents.map((intent) => ({ operation: intent.operation, payload: toPayload(intent) }))),
  ])
  const sent = await sender.bodies(ids(payloads))
  expect(await sender.bodies(ids(texts))).toEqual(sent)
  expect(await sender.bodies(ids(singles))).toEqual(sent)
  const form = (results: readonly { readonly id: string }[]) =>
    db.rows<{ format: number; ordering_key: string; lane: number }>(
      `SELECT format, ordering_key, lane FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, n)
       JOIN outbox.intents USING (id) ORDER BY n`,
      [ids(results)],
    )
  const [wire, converted] = [await form(texts), await form(payloads)]
  expect(wire.map((row) => ({ ...row, format: PAYLOAD_FORMAT }))).toEqual(converted)
  const hasRelationships = intents.map(
    (one) => one.operation === 'identify' && one.attributes?.cio_relationships,
  )
  expect(hasRelationships.some(Boolean)).toBe(true)
  expect((await form(singles)).map(({ format }) => format)).toEqual(
    hasRelationships.map((has) => (has ? PAYLOAD_FORMAT : WIRE_FORMAT)),
  )
})

test('payload_of gives back the payload of a wire text, without the timestamp that the database gave', async () => {
  const intents: Intent[] = [
    { operation: 'track', customerId: 42, name: 'placed', data: { 'a"b': [1, null], deep: { c: 'é' } } },
    { operation: 'track', identifiers: { email: 'Jane@Example.com' }, name: 'n', timestamp: 1_700_000_000 },
    { operation: 'trackPageView', customerId: 'u', path: '/a?b=c' },
    { operation: 'trackScreen', identifiers: { cio_id: 'a1' }, name: 'Home', data: {} },
    { operation: 'identify', identifiers: { phone: '+1' }, attributes: { plan: 'pro', gone: null } },
    { operation: 'identify', customerId: 'u' },
  ]
  const results = await db.transaction((tx) => outbox.enqueue(tx, intents))
  const rows = await db.rows<{ payload: object; format: number }>(
    `SELECT format, outbox.payload_of(format, operation, payload, enqueued_at) AS payload
     FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, n) JOIN outbox.intents USING (id) ORDER BY n`,
    [ids(results)],
  )
  expect(rows.map(({ format }) => format)).toEqual(intents.map(() => WIRE_FORMAT))
  const texts = intents.map((one) =>
    'customerId' in one ? { ...one, customerId: String(one.customerId) } : one,
  )
  expect(rows.map(({ payload }, n) => ({ operation: intents[n]?.operation, ...payload }))).toEqual(texts)
})

test('the names of an object and its numbers arrive as they were written', async () => {
  const data = { zebra: 1, apple: 0.1, b: 1e21, big: 123456789012345680000, list: [3, 2, 1] }
  const one = await db.transaction((tx) =>
    outbox.enqueue(tx, { operation: 'track', customerId: 'u', name: 'n', data }),
  )
  const [body] = await sender.bodies([one.id])
  expect(body).toContain(`"attributes":${JSON.stringify(data)}}`)
  const written = '{"z": 9007199254740993, "a": 1.0}'
  const [plain] = await db.rows<{ id: string }>(
    `SELECT (outbox.enqueue_wire('track', 'id', 'u', 'n', $1, NULL)).id`,
    [written],
  )
  expect((await sender.bodies([plain?.id ?? '']))[0]).toContain(`"attributes":${written}}`)
})

const CALL = ['track', 'id', 'u1', 'placed', '{"a":1}', null] as const
const FORGED: readonly (readonly [string, number, unknown])[] = [
  [
    'a second operation in the attributes',
    4,
    '{}},{"type":"person","action":"delete","identifiers":{"id":"u2"}',
  ],
  ['a second id in the attributes', 4, '{"a":1},"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"'],
  ['a second timestamp in the attributes', 4, '{},"timestamp":1'],
  ['attributes that are no object', 4, '[1]'],
  ['attributes that jsonb cannot hold', 4, String.raw`{"a":"\u0000"}`],
  ['a number that no numeric holds', 4, '{"a":1e999999}'],
  ['attributes of more than 32,000 bytes', 4, `{"a":"${'x'.repeat(32_000)}"}`],
  ['an unknown kind of identifier', 1, 'id":"x","email'],
  ['no person', 2, ''],
  ['a blank person', 2, ' '],
  ['a person of more than 150 bytes', 2, 'x'.repeat(151)],
  ['no name of an event', 3, ''],
  ['a blank name', 3, ' '],
  ['a name of more than 100 bytes', 3, 'x'.repeat(101)],
  ['another operation', 0, 'destroy'],
  ['a name of an identify', 0, 'identify'],
  ['a time before 1970', 5, -2],
]

test.each(FORGED)('enqueue_wire, enqueue_wire_with and enqueue_wire_many refuse %s', async (_, at, value) => {
  const values: unknown[] = [...CALL]
  values[at] = value
  const before = await db.rows('SELECT count(*) FROM outbox.intents')
  for (const name of ['enqueue_wire', 'enqueue_wire_with']) {
    await expect(
      db.rows(`SELECT outbox.${name}($1, $2, $3, $4, $5, $6::bigint)`, values),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^22/) })
  }
  const arrays = values.map((value, n) => (n === 4 ? value : [value]))
  await expect(
    db.rows('SELECT outbox.enqueue_wire_many($1, $2, $3, $4, $5, $6::bigint[])', arrays),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^22/) })
  expect(await db.rows('SELECT count(*) FROM outbox.intents')).toEqual(before)
})

test('no argument of enqueue_wire can choose the id of an event, or end its text early', async () => {
  const hostile = '"},"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","x":{"'
  const rows = await db.rows<{ id: string }>(
    `SELECT (outbox.enqueue_wire('track', 'id', $1, $1, '{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}', NULL)).id`,
    [hostile],
  )
  const [body] = await sender.bodies(ids(rows))
  expect(JSON.parse(body ?? '')).toEqual({
    batch: [
      {
        id: 'ULID',
        timestamp: 'NOW',
        type: 'person',
        action: 'event',
        identifiers: { id: hostile },
        name: hostile,
        attributes: { id: 'ULID' }, // the test replaces it, too
      },
    ],
  })
})

const ARRAYS = {
  operations: ['track', 'track'],
  person_kinds: ['id', 'id'],
  persons: ['u', 'v'],
  names: ['n', 'm'],
  attributes: 'null\u001enull',
  occurred_at: [-1, -1],
  dedup_keys: ['a', 'a'],
}
type Arrays = { [Name in keyof typeof ARRAYS]: (typeof ARRAYS)[Name] | null }

const enqueueArrays = (changed: Partial<Arrays>, options = '') => {
  const { operations, person_kinds, persons, names, attributes, occurred_at, dedup_keys } = {
    ...ARRAYS,
    ...changed,
  }
  return db.rows<{ ids: string[]; duplicates: boolean[] }>(
    `SELECT * FROM outbox.enqueue_wire_many($1, $2, $3, $4, $5, $6, dedup_keys => $7 ${options})`,
    [operations, person_kinds, persons, names, attributes, occurred_at, dedup_keys],
  )
}

test.each<[string, Partial<Arrays>]>([
  ['an operation less', { operations: ['track'] }],
  ['no operations', { operations: null }],
  ['a kind more', { person_kinds: ['id', 'id', 'id'] }],
  ['a person more', { persons: ['u', 'v', 'w'] }],
  ['a name less', { names: ['n'] }],
  ['attributes for one', { attributes: 'null' }],
  ['no attributes', { attributes: null }],
  ['a time less', { occurred_at: [-1] }],
  ['a dedup key less', { dedup_keys: ['a'] }],
  ['a dedup key more', { dedup_keys: ['a', 'b', 'c'] }],
])('enqueue_wire_many refuses arrays of unequal lengths: %s', async (_, changed) => {
  const before = await db.rows('SELECT count(*) FROM outbox.intents')
  await expect(enqueueArrays(changed)).rejects.toMatchObject({ code: '22023' })
  expect(await db.rows('SELECT count(*) FROM outbox.intents')).toEqual(before)
})

test('the first intent of a dedup key in an array is stored, and intents without a key are no duplicates', async () => {
  expect(await enqueueArrays({})).toMatchObject([{ duplicates: [false, true] }])
  expect(await enqueueArrays({ dedup_keys: ['', ''] })).toMatchObject([{ duplicates: [false, false] }])
})

test('an empty array stores nothing, takes no workspace, and its options are checked', async () => {
  const empty = { operations: [], person_kinds: [], persons: [], names: [], attributes: '', occurred_at: [] }
  const none = { ...empty, dedup_keys: [] }
  expect(await db.transaction((tx) => outbox.enqueue(tx, []))).toEqual([])
  expect(await enqueueArrays(none, ", workspace => 'nobody'")).toEqual([{ ids: [], duplicates: [] }])
  expect(await db.rows('SELECT name FROM outbox.unserved_workspaces WHERE name IS NOT NULL')).toEqual([])
  await expect(enqueueArrays(none, ", workspace => 'a/b'")).rejects.toMatchObject({ code: '22023' })
})

test('an array is stored in a session with unusual settings of texts and arrays', async () => {
  const intent: Intent = { operation: 'track', customerId: 'NULL', name: 'NULL', data: { quote: '"\\' } }
  const stored = await db.transaction(async (tx) => {
    await tx.query('SET LOCAL standard_conforming_strings = off; SET LOCAL array_nulls = off')
    return outbox.enqueue(tx, [intent, intent, { operation: 'identify', customerId: 'NULL' }])
  })
  expect(stored.map(({ duplicate }) => duplicate)).toEqual([false, false, false])
  const [first, second] = await sender.bodies(ids(stored))
  expect(JSON.parse(first ?? '').batch[0]).toMatchObject({ name: 'NULL', attributes: intent.data })
  expect(second).toBe(first)
})

test('allowRecipients: of two fields of one name in a wire text, only the one that the guard has seen is sent', async () => {
  const rows = await db.rows<{ id: string }>(
    `SELECT (outbox.enqueue_wire('identify', 'id', 'u', NULL, $1, NULL)).id`,
    ['{"email":"jane@real.example","email":"qa@test.example"}'],
  )
  const [body] = await sender.bodies(ids(rows), recipientAllowlist(['*@test.example']))
  expect(body).not.toContain('real.example')
  expect(JSON.parse(body ?? '').batch[0]).toMatchObject({ attributes: { email: 'qa@test.example' } })
  await expect(sender.bodies(ids(rows), recipientAllowlist(['*@real.example']))).rejects.toThrow('suppressed')
})
