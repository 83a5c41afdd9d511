/**
 * A test fails after each of these changes:
 * - if `openRows` (src/relay/payloads/open-rows.ts) leaves a row sealed, or opens it for another destination or ordering key;
 * - if `BlockedKeys` (src/relay/turn/blocked-keys.ts) does not block a locked row, or `prepareRow` makes a dead letter of it;
 * - if `settle` or `payload_of` changes the payload or the format of an encrypted dead letter.
 */
import { once } from 'node:events'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keyRingOf } from '../../src/encryption/key-ring.ts'
import { createOutbox, type Intent } from '../../src/index.ts'
import { newKey, ringText } from '../support/encryption.ts'
import { eventually } from '../support/eventually.ts'
import { accepted, candidate } from '../support/intent-arbitraries.ts'
import {
  email,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'
import { GOLDENS } from '../support/wire/goldens.ts'
import { Sender } from '../support/wire/sent-text.ts'

const [k1, k2] = [newKey('k1'), newKey('k2')]
const outboxOf = (...keys: ReturnType<typeof newKey>[]) =>
  createOutbox({ encryption: { keys: ringText(...keys) } })
const encrypted = outboxOf(k1)

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const enqueue = (list: readonly Intent[], outbox = encrypted, options = {}) =>
  h.db.transaction((tx) => outbox.enqueue(tx, list, options))
const withKeys = (...keys: ReturnType<typeof newKey>[]) =>
  h.relay({ encryption: { keys: ringText(...keys) } })
const left = () => h.db.rows<{ id: string }>('SELECT id FROM outbox.intents ORDER BY seq')
const deadLetters = () =>
  h.db.rows('SELECT id, reason, message, format, payload FROM outbox.dead_letters ORDER BY seq')

test('an encrypted intent of any operation is sent in the same bytes as a readable one', async () => {
  const goldens = GOLDENS.map(({ operation, payload }) => ({ operation, ...(payload as object) }) as Intent)
  const generated = fc.sample(candidate, { numRuns: 250, seed: 7 }).flatMap((value) => accepted(value) ?? [])
  const given = [...goldens, ...generated]
  const sender = await Sender.start(h.db, keyRingOf(ringText(k2, k1)))
  try {
    const readable = await h.db.transaction((tx) => h.outbox.enqueue(tx, given))
    const sealed = await enqueue(given)
    const bodies = (results: readonly { readonly id: string }[]) => sender.bodies(results.map(({ id }) => id))
    // Names are in the order of jsonb in one, and in the order of the app in the other.
    const parsed = (texts: readonly string[]) =>
      texts.map((text) => (text === '' ? text : JSON.parse(text)) as unknown)
    expect(parsed(await bodies(sealed))).toEqual(parsed(await bodies(readable)))
  } finally {
    await sender.close()
  }
})

test('events, messages and broadcasts are delivered in order, beside readable ones', async () => {
  await withKeys(k2, k1)
  for (let n = 0; n < 20; n += 4) {
    await enqueue([track('u1', n)])
    await h.enqueue(track('u1', n + 1))
    await enqueue([track('u1', n + 2), track('u2', n)], outboxOf(k2))
    await enqueue([track('u1', n + 3)])
  }
  await enqueue([email('u1', 0), { operation: 'triggerBroadcast', broadcastId: 1 }])
  await enqueue([{ operation: 'pipelines.track', message: { userId: 'u1', event: 'a' } }])
  await enqueue([track('u3', 0)], encrypted, { sendAfter: new Date(Date.now() + 50), priority: 'bulk' })
  await h.drained()
  await h.fake.until(() => h.fake.counts.applied === 26)
  expect(h.fake.counts).toMatchObject({ applied: 26, duplicates: 0, outOfOrder: 0, sends: 1 })
  expect([h.fake.broadcasts.length, h.fake.pipelines.length]).toEqual([1, 1])
  expect(await deadLetters()).toEqual([])
})

test('an intent whose key is missing waits with the later ones of its person, and goes out when the key is added', async () => {
  const [lacking, ...others] = (await peopleOfOneLane(h.db, 'default/track', 6)) as [string, ...string[]]
  const [first] = await enqueue([track(lacking, 0), track(lacking, 1)], outboxOf(k2))
  await enqueue([track(lacking, 2), ...others.map((person) => track(person, 0))])
  await enqueue([email('u1', 0)], outboxOf(k2))
  await h.db.rows("UPDATE outbox.intents SET sending_at = now() WHERE operation = 'sendEmail'")
  const relay = await withKeys(k1)
  const events: unknown[] = []
  relay.on('unknownKey', (event) => events.push(event))
  await h.fake.until(() => h.fake.counts.applied === others.length)
  await enqueue(others.map((person) => track(person, 1)))
  await h.fake.until(() => h.fake.counts.applied === 2 * others.length)
  await eventually('both reported', () => events.length === 2)
  expect(events).toContainEqual({ destination: 'default/track', key: 'k2' })
  expect(events).toContainEqual({ destination: 'default/app', key: 'k2' })
  const health = await h.db.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health')
  expect(health[0]?.reasons).toContain(
    'default/track has intents that were encrypted with key k2, which no running relay has: add it to OUTBOX_ENCRYPTION_KEYS of the relays',
  )
  expect((await left()).map(({ id }) => id)).toContain(first?.id)
  expect((await left()).length).toBe(4)
  // An operator adds the key to another relay. The first one goes on without it.
  await withKeys(k1, k2)
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 2 * others.length + 3, duplicates: 0, outOfOrder: 0 })
  expect(await deadLetters()).toMatchObject([{ reason: 'ambiguous', format: 3 }]) // the message was marked as sending
  expect(events.length).toBe(2)
  const after = await h.db.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health')
  expect(after[0]?.reasons.join()).not.toContain('encrypted')
})

test('a relay without keys leaves encrypted intents in the queue', async () => {
  await enqueue([track('u1', 0)])
  await h.enqueue(track('u2', 0))
  const relay = await h.relay()
  expect(await once(relay, 'unknownKey')).toEqual([{ destination: 'default/track', key: 'k1' }])
  await h.fake.until(() => h.fake.counts.applied === 1)
  await enqueue([track('u3', 0)], encrypted, { expiresAt: new Date(Date.now() + 1) })
  // What has expired needs no key.
  await eventually('the dead letter', async () => (await deadLetters()).length === 1)
  expect(await deadLetters()).toMatchObject([{ reason: 'expired', format: 3 }])
  expect((await left()).length).toBe(1)
  const [row] = await h.db.rows('SELECT format, encryption_keys FROM outbox.relays')
  expect(row).toEqual({ format: 3, encryption_keys: [] })
})

test('an envelope that was changed or moved becomes a dead letter, and others of its lane are sent', async () => {
  const people = await peopleOfOneLane(h.db, 'default/track', 7)
  const stored = await enqueue(people.map((person) => track(person, 0)))
  const change = (n: number, sql: string) =>
    h.db.rows(`UPDATE outbox.intents SET ${sql} WHERE id = $1`, [stored[n]?.id])
  await change(
    0,
    `payload = jsonb_set(payload::jsonb, '{data}', to_jsonb('A' || substr(payload ->> 'data', 2)))`,
  )
  await change(1, `payload = jsonb_set(payload::jsonb, '{iv}', '"AAAAAAAAAAAAAAAA"')`)
  await change(2, `payload = (SELECT payload FROM outbox.intents WHERE id = '${stored[3]?.id}')`)
  await change(4, `operation = 'identify'`)
  await change(5, `payload = '{"customerId":"u1","name":"readable"}'`)
  const errors: Error[] = []
  const relay = await withKeys(k1)
  relay.on('error', (error) => errors.push(error))
  await h.drained()
  const dead = await h.db.rows<{ id: string; reason: string; message: string }>(
    'SELECT id, reason, message FROM outbox.dead_letters ORDER BY seq',
  )
  const expected = [0, 1, 2, 4, 5].map((n) => stored[n]?.id)
  expect(dead.map(({ id }) => id)).toEqual(expected)
  for (const { reason, message } of dead) {
    expect([reason, message]).toEqual([
      'invalid',
      'its encrypted payload does not open: it was changed, moved to another row, or encrypted with another key of the same id',
    ])
  }
  expect(h.fake.counts.applied).toBe(2)
  expect(errors).toEqual([])
})
