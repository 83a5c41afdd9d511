/**
 * A test fails after each of these changes:
 * - if `KeyFinder` (src/relay/payloads/key-finder.ts) calls the function for each row, has no deadline, or keeps that a key was
 *   missing for ever;
 * - if `relay` (src/cli) does not read `OUTBOX_ENCRYPTION_KEYS`, or `redact` does not know its keys.
 */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox, type EncryptionKey, intents } from '../../src/index.ts'
import { createRelay, InvalidSettingError } from '../../src/relay.ts'
import { runCli, startCli } from '../support/cli.ts'
import { newKey, ringText } from '../support/encryption.ts'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

const [k1, k2] = [newKey('k1'), newKey('k2')]

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const enqueue = (keys: string, ...list: ReturnType<typeof track>[]) =>
  h.db.transaction((tx) => createOutbox({ encryption: { keys } }).enqueue(tx, list))

test('keys are rotated while relays run, and no intent waits or is lost', async () => {
  let n = 0
  const send = async (keys: string) => {
    await enqueue(keys, track('u1', n++), track('u1', n++))
    await h.fake.until(() => h.fake.counts.applied === n)
  }
  const [a, b] = [
    await h.relay({ encryption: { keys: ringText(k1) } }),
    await h.relay({ encryption: { keys: ringText(k1) } }),
  ]
  await send(ringText(k1))
  // 1: the relays get the new key, one after the other.
  await h.relay({ encryption: { keys: ringText(k1, k2) } })
  await a.stop()
  await send(ringText(k1))
  await h.relay({ encryption: { keys: ringText(k1, k2) } })
  await b.stop()
  // 2: the app encrypts with it, while other processes of the app still use the old one.
  await send(ringText(k2))
  await send(ringText(k1))
  await send(ringText(k2))
  // 3: no payload needs the old key.
  await h.drained()
  expect(await h.db.rows('SELECT * FROM outbox.encryption_keys_in_use()')).toEqual([])
  expect(h.fake.counts).toMatchObject({ applied: n, duplicates: 0, outOfOrder: 0 })
  expect(await h.db.rows('SELECT * FROM outbox.dead_letters')).toEqual([])
})

test('a function finds each key once, for all rows and lanes', async () => {
  const calls: string[] = []
  const known: Record<string, EncryptionKey> = { k1, k2 }
  await enqueue(ringText(k1), ...Array.from({ length: 200 }, (_, n) => track(`u${n}`, 0)))
  await enqueue(ringText(k2), ...Array.from({ length: 200 }, (_, n) => track(`u${n}`, 1)))
  const find = async (id: string) => {
    calls.push(id)
    return known[id]?.key
  }
  await h.relay({ encryption: { find } })
  await h.drained()
  expect(calls.sort()).toEqual(['k1', 'k2'])
  expect(h.fake.counts).toMatchObject({ applied: 400, outOfOrder: 0 })
  const [row] = await h.db.rows('SELECT encryption_keys FROM outbox.relays')
  expect(row).toEqual({ encryption_keys: null })
})

test('while a function fails, hangs or has no key, the intents wait, and are sent when it has one', async () => {
  const answers: Record<string, () => Promise<string | Uint8Array | undefined>> = {
    failing: () => Promise.reject(new Error('the KMS is down')),
    hanging: () => new Promise(() => {}),
    absent: async () => undefined,
    short: async () => new Uint8Array(16),
  }
  const keys = Object.keys(answers).map((id) => ({ ...newKey(id), answer: answers[id] }))
  for (const key of keys) await enqueue(ringText(key), track(key.id, 0))
  await h.enqueue(track('u1', 0))
  let isDown = true
  const relay = await h.relay({
    requestTimeoutMs: 200,
    encryption: { find: (id) => (isDown ? answers[id]?.() : keys.find((key) => key.id === id)?.key) },
  })
  const errors: string[] = []
  const unknown: string[] = []
  relay.on('error', ({ message }) => errors.push(message))
  relay.on('unknownKey', ({ key }) => unknown.push(key))
  await h.fake.until(() => h.fake.counts.applied === 1)
  await eventually('all reported', () => unknown.length === keys.length)
  expect(unknown.sort()).toEqual(['absent', 'failing', 'hanging', 'short'])
  expect(errors.sort()).toEqual([
    'encryption.find failed for key failing: the KMS is down',
    'encryption.find failed for key hanging: took longer than 200 ms',
    'encryption.find failed for key short: Expected a key to be 32 bytes or their base64, got 16 bytes for key short',
  ])
  isDown = false
  await h.drained()
  expect(h.fake.counts.applied).toBe(1 + keys.length)
  expect(await h.db.rows('SELECT * FROM outbox.dead_letters')).toEqual([])
})

test('the id of a key may be a data key that a KMS has wrapped', async () => {
  const kms = randomBytes(32)
  const wrap = (key: Uint8Array) => Buffer.from(key.map((byte, n) => byte ^ (kms[n] ?? 0)))
  const dataKey = randomBytes(32)
  const wrapped = wrap(dataKey).toString('base64')
  const outbox = createOutbox({ encryption: { current: async () => ({ id: wrapped, key: dataKey }) } })
  await h.db.transaction((tx) => outbox.enqueue(tx, track('u1', 0)))
  await h.relay({ encryption: { find: async (id) => wrap(Buffer.from(id, 'base64')) } })
  await h.drained()
  expect(h.fake.counts.applied).toBe(1)
})

test.each<[string, unknown, string]>([
  ['no keys', {}, 'Expected encryption.keys to be a list such as'],
  ['an empty text', { keys: '' }, 'Expected encryption.keys to be a list such as'],
  ['a short key', { keys: [{ id: 'k1', key: 'secret-of-the-app' }] }, 'to be 32 bytes or their base64'],
  ['both', { keys: [k1], find: () => undefined }, 'Expected encryption to have keys or find, got both'],
  ['no function', { find: 'secret-of-the-app' }, 'Expected encryption.find to be a function (id) => key'],
  ['an unknown name', { key: 'secret-of-the-app' }, 'did you mean keys?'],
  ['a text', 'secret-of-the-app', 'Expected encryption to be an object, got string'],
])('a relay refuses %s, and quotes no key', (_, encryption, message) => {
  const create = () =>
    createRelay({
      connectionString: h.db.url,
      customerio: everyApi(h.fake),
      encryption: encryption as { keys: string },
    })
  expect(create).toThrow(InvalidSettingError)
  expect(create).toThrow(message)
  expect(create).not.toThrow('secret-of')
})

test('the command relay takes the ring of the environment, and logs no key and no payload', async () => {
  const env = {
    DATABASE_URL: h.db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key',
    CUSTOMERIO_TRACK_URL: h.fake.url,
    LOG_LEVEL: 'trace',
    OUTBOX_ENCRYPTION_KEYS: ringText(k1),
  }
  await enqueue(ringText(k1), intents.track('u1', 'MARKERxPLAINTEXT') as ReturnType<typeof track>)
  await enqueue(ringText(k2), track('u2', 0))
  await enqueue(ringText(k1), track('u3', 0))
  await h.db.rows("UPDATE outbox.intents SET operation = 'identify' WHERE ordering_key = 'u3'")
  const relay = startCli(['relay', '--no-check-region'], env)
  await relay.printed(/encryption key missing; add it to OUTBOX_ENCRYPTION_KEYS/)
  await h.fake.until(() => h.fake.counts.applied === 1)
  await relay.printed(/dead letter/)
  relay.child.kill('SIGTERM')
  const { status, stdout, stderr } = await relay.ended()
  expect(status).toBe(0)
  const output = stdout + stderr
  expect(output).toContain('"key":"k2"')
  for (const secret of [k1.key, k2.key, 'MARKERxPLAINTEXT']) expect(output).not.toContain(secret)
})

test('a wrong ring of the environment is one line without the keys, and exit status 2', async () => {
  const env = {
    DATABASE_URL: h.db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key',
    OUTBOX_ENCRYPTION_KEYS: `${k1.key}:k1`,
  }
  const { status, stdout, stderr } = await runCli(['relay'], env)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr.trim()).toMatch(/^[^\n]*Expected OUTBOX_ENCRYPTION_KEYS to be a list such as [^\n]*$/)
  expect(stderr).not.toContain(k1.key)
})
