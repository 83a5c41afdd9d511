/**
 * A test fails after each of these changes:
 * - if `settle` or `payload_of` changes the payload or the format of an encrypted dead letter;
 * - if `edit_dead_letter` (migrations/0009_actions.sql) takes a readable payload for an encrypted dead letter, computes its
 *   ordering key or its name anew, or stores a readable payload in `history`;
 * - if `encryption_keys_in_use` leaves out a table, or claims to be complete after it has read only a part.
 */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keyRingOf } from '../../src/encryption/key-ring.ts'
import { openPayload, sealPayload, type StoredPayload } from '../../src/encryption/stored-payload.ts'
import { createOutbox, intents } from '../../src/index.ts'
import { dumpDatabase, newKey, ringText } from '../support/encryption.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'
import { operate } from '../support/operate.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

const MARKER = 'MARKERxPLAINTEXT'
const [k1, k2] = [newKey('k1'), newKey('k2')]
const keys = ringText(k1)
const ring = keyRingOf(keys)
const outbox = createOutbox({ encryption: { keys } })

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

interface Letter extends StoredPayload {
  readonly id: string
  readonly format: number
  readonly name: string | null
}
const letters = () =>
  h.db.rows<Letter & pg.QueryResultRow>(
    'SELECT id, format, name, destination, operation, ordering_key AS "orderingKey", payload FROM outbox.dead_letters ORDER BY seq',
  )

/** Enqueues an encrypted event that Customer.io refuses, and waits until it is a dead letter. */
async function deadLetter(): Promise<Letter> {
  const recover = h.fake.misbehave({
    kind: 'refuse',
    operation: () => ({ reason: 'invalid', field: 'identifiers' }),
  })
  await h.db.transaction((tx) => outbox.enqueue(tx, intents.track('u1', MARKER, { [MARKER]: MARKER })))
  const found = await eventually('a dead letter', async () => (await letters())[0])
  recover()
  return found
}
const edit = (letter: Letter, payload: string) =>
  h.db.rows('SELECT * FROM outbox.edit_dead_letter($1, $2::jsonb, $3)', [
    letter.id,
    payload,
    'as support asked',
  ])
const inUse = (max = 1_000) => h.db.rows('SELECT * FROM outbox.encryption_keys_in_use($1)', [max])

test('a dead letter stays encrypted, and a redrive delivers it as the same event', async () => {
  await h.relay({ encryption: { keys } })
  const letter = await deadLetter()
  expect(letter).toMatchObject({ format: 3, name: null })
  expect(openPayload(letter, ring)).toEqual({
    kind: 'opened',
    text: JSON.stringify({ customerId: 'u1', name: MARKER, data: { [MARKER]: MARKER } }),
  })
  expect(await dumpDatabase(h.db)).not.toContain(MARKER)
  const { apply, ended } = operate(h)
  await ended(await apply('redrive', { ids: [letter.id] }))
  await h.drained()
  expect(h.fake.applied).toMatchObject([{ name: MARKER }])
  expect(await letters()).toEqual([])
  expect(await dumpDatabase(h.db)).not.toContain(MARKER)
})

test('an operator with the keys edits a dead letter, and the old and the new payload stay encrypted', async () => {
  await h.relay({ encryption: { keys } })
  const letter = await deadLetter()
  const corrected = sealPayload(letter, { customerId: 'u1', name: 'order_placed', data: {} }, ring)
  expect(await edit(letter, corrected)).toMatchObject([{ format: 3, name: null, ordering_key: 'u1' }])
  const [edited] = await h.db.rows('SELECT event, payload FROM outbox.history')
  expect(edited).toEqual({ event: 'edited', payload: letter.payload })
  expect(await dumpDatabase(h.db)).not.toContain(MARKER)
  const { apply, ended } = operate(h)
  await ended(await apply('redrive', { ids: [letter.id] }))
  await h.drained()
  expect(h.fake.applied).toMatchObject([{ name: 'order_placed' }])
})

test('an edit of an encrypted dead letter takes envelopes only', async () => {
  await h.relay({ encryption: { keys } })
  const letter = await deadLetter()
  const envelope = JSON.parse(sealPayload(letter, { customerId: 'u1', name: 'a' }, ring)) as object
  const wrong = [
    '{"customerId":"u1","name":"readable"}',
    JSON.stringify({ ...envelope, name: 'readable' }),
    JSON.stringify({ ...envelope, v: 2 }),
    JSON.stringify({ ...envelope, iv: 1 }),
    '{}',
    '[]',
    '"text"',
    'null',
  ]
  for (const payload of wrong) {
    await expect(edit(letter, payload), payload).rejects.toThrow(
      `outbox: the payload of dead letter ${letter.id} is encrypted, and the given payload is no envelope`,
    )
  }
  expect(await letters()).toEqual([letter])
})

test('an envelope that was made for another person does not open after the edit', async () => {
  await h.relay({ encryption: { keys } })
  const letter = await deadLetter()
  await edit(letter, sealPayload({ ...letter, orderingKey: 'u2' }, { customerId: 'u2', name: 'a' }, ring))
  const { apply, ended } = operate(h)
  await ended(await apply('redrive', { ids: [letter.id] }))
  await h.drained()
  expect(await h.db.rows('SELECT reason FROM outbox.dead_letters')).toEqual([{ reason: 'invalid' }])
  expect(h.fake.counts.applied).toBe(0)
})

test('a replay delivers what was archived encrypted', async () => {
  await h.db.transaction((tx) => outbox.enqueue(tx, intents.track('u1', MARKER)))
  await h.db.rows(
    `CREATE TABLE outbox.archive_9000 PARTITION OF outbox.archive FOR VALUES FROM ('9000-01-01') TO ('9000-01-02')`,
  )
  await h.db.rows(
    `WITH moved AS (DELETE FROM outbox.intents RETURNING *)
     INSERT INTO outbox.archive (id, destination, seq, format, operation, name, payload, ordering_key, on_ambiguous,
       enqueued_at, delivered_at, drop_on)
     SELECT id, destination, seq, format, operation, name, payload, ordering_key, on_ambiguous, enqueued_at, now(),
       '9000-01-01'
     FROM moved`,
  )
  expect(await inUse()).toMatchObject([{ table_name: 'archive', key: 'k1', count: '1' }])
  await h.relay({ encryption: { keys } })
  const { apply, ended } = operate(h)
  await ended(await apply('replay', { person: 'u1' }))
  await h.drained()
  expect(h.fake.applied).toMatchObject([{ name: MARKER }])
})

test('encryption_keys_in_use counts the payloads of each key, and says if it has not read all', async () => {
  const before = createOutbox({ encryption: { keys: [k2] } })
  const store = (by: typeof outbox, count: number) =>
    h.db.transaction((tx) =>
      by.enqueue(
        tx,
        Array.from({ length: count }, (_, n) => intents.track('u1', `e${n}`)),
      ),
    )
  await store(before, 2)
  await store(outbox, 3)
  await h.enqueue(intents.track('u1', 'readable'))
  const complete = { table_name: 'intents', newest: expect.any(Date), complete: true }
  expect(await inUse()).toEqual([
    { ...complete, key: 'k1', count: '3' },
    { ...complete, key: 'k2', count: '2' },
  ])
  expect(await inUse(6)).toMatchObject([{ complete: true }, { complete: true }])
  expect((await inUse(2)).every((row) => row.complete === false)).toBe(true)
  await h.db.rows('TRUNCATE outbox.intents')
  await h.enqueue(...Array.from({ length: 4 }, (_, n) => intents.track('u1', `e${n}`)))
  expect(await inUse(3)).toEqual([
    { table_name: 'intents', key: null, count: '0', newest: null, complete: false },
  ])
  expect(await inUse()).toEqual([])
})

test('an operator and a viewer may count the keys, and an app may not', async () => {
  for (const [role, may] of [
    ['outbox_operator', true],
    ['outbox_viewer', true],
    ['outbox_enqueue', false],
  ] as const) {
    const login = await createLoginRole(h.db, role)
    const client = new pg.Client({ connectionString: login.url })
    await client.connect()
    const answer = await client.query('SELECT * FROM outbox.encryption_keys_in_use()').then(
      () => true,
      () => false,
    )
    await client.end()
    await login.drop()
    expect([role, answer]).toEqual([role, may])
  }
})

test('an edit leaves the key of the old payload in use, until its history is gone', async () => {
  await h.relay({ encryption: { keys: ringText(k1, k2) } })
  const letter = await deadLetter()
  await edit(letter, sealPayload(letter, { customerId: 'u1', name: 'a' }, keyRingOf(ringText(k2, k1))))
  expect(await inUse()).toMatchObject([
    { table_name: 'dead_letters', key: 'k2', count: '1' },
    { table_name: 'history', key: 'k1', count: '1' },
  ])
})
