/**
 * A test fails after each of these changes:
 * - if `orderingKeyOf` or `nameOf` (src/intent/keys) differs from the SQL function of the same name;
 * - if `sealRows` (src/enqueue/seal-rows.ts) stores the name without `readableNames`, or reads the app's objects late;
 * - if `is_envelope` (migrations/0001_intents.sql) takes another form, or `enqueue_encrypted` skips the check of an option.
 */
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPayload } from '../../src/encryption/stored-payload.ts'
import { keyRingOf } from '../../src/encryption/key-ring.ts'
import {
  createOutbox,
  EncryptionKeyError,
  type Intent,
  intents,
  InvalidIntentError,
  InvalidOptionError,
} from '../../src/index.ts'
import { nameOf } from '../../src/intent/keys/name-of.ts'
import { orderingKeyOf } from '../../src/intent/keys/ordering-key.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { dumpDatabase, newKey, ringText } from '../support/encryption.ts'
import { accepted, candidate } from '../support/intent-arbitraries.ts'
import { createLoginRole } from '../support/login-role.ts'
import { GOLDENS } from '../support/wire/goldens.ts'

const [k1, k2] = [newKey('k1'), newKey('k2')]
const ring = keyRingOf(ringText(k2, k1))
const outbox = createOutbox({ encryption: { keys: ringText(k1) } })
const plain = createOutbox()
let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
beforeEach(() => db.rows('TRUNCATE outbox.intents, outbox.dedup'))
afterAll(() => db.drop())

interface Row {
  readonly id: string
  readonly destination: string
  readonly lane: number
  readonly format: number
  readonly operation: string
  readonly name: string | null
  readonly payload: Record<string, unknown>
  readonly orderingKey: string
  readonly priority: string
}
const rows = () =>
  db.rows<Row>(`SELECT id, destination, lane, format, operation, name, payload, ordering_key AS "orderingKey", priority
                FROM outbox.intents ORDER BY seq`)
const open = (row: Row | undefined) => {
  const opened = openPayload(row as Row, ring)
  return opened.kind === 'opened' ? (JSON.parse(opened.text) as unknown) : opened
}
const store = (intent: Intent | readonly Intent[], options = {}, by = outbox) =>
  db.transaction((tx) => by.enqueue(tx, intent as Intent, options))
const stored = (intent: Intent) => JSON.parse(JSON.stringify(toPayload(intent))) as unknown

/** Other capitals of an email become small ones by the rules of the database's locale. */
function hasAsciiCapitals(intent: Intent): boolean {
  const text = JSON.stringify(intent)
  return text.toLowerCase() === text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

test('any intent comes back, alone and in an array, with the ordering key and the lane of a readable one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(candidate, { minLength: 1, maxLength: 12 }), async (candidates) => {
      const given = candidates.flatMap((each) => accepted(each) ?? []).filter(hasAsciiCapitals)
      fc.pre(given.length > 0)
      await db.rows('TRUNCATE outbox.intents')
      await store(given)
      await store(given[0] as Intent)
      const encrypted = await rows()
      await db.rows('TRUNCATE outbox.intents')
      await store([...given, given[0] as Intent], {}, plain)
      const readable = await rows()
      expect(encrypted.map(open)).toEqual([...given, given[0] as Intent].map(stored))
      expect(encrypted.map(({ format, name }) => ({ format, name }))).toEqual(
        encrypted.map(() => ({ format: 3, name: null })),
      )
      const columns = ({ destination, lane, operation, orderingKey }: Row) => ({
        destination,
        lane,
        operation,
        orderingKey,
      })
      expect(encrypted.map(columns)).toEqual(readable.map(columns))
      // What the columns hold is what the key of the payload would be, so SQL callers share the order.
      expect(readable.map(({ orderingKey }) => orderingKey)).toEqual(
        [...given, given[0] as Intent].map(orderingKeyOf),
      )
      expect(readable.map(({ name }) => name)).toEqual([...given, given[0] as Intent].map(nameOf))
    }),
    { numRuns: 60 },
  )
})

test('every operation is stored encrypted, by the single function too', async () => {
  for (const { operation, payload } of GOLDENS) {
    const intent = { operation, ...(payload as object) } as Intent
    await db.rows('TRUNCATE outbox.intents')
    await store(intent)
    const [row] = await rows()
    expect([row?.format, open(row)]).toEqual([3, stored(intent)])
  }
})

test('an email is one person whatever its case', async () => {
  const of = (email: string) => ({ operation: 'destroy', identifiers: { email } }) as const
  await store([of('Ann@Example.com'), of('ann@example.COM')])
  expect((await rows()).map(({ orderingKey }) => orderingKey)).toEqual(['ann@example.com', 'ann@example.com'])
  expect(open((await rows())[0])).toEqual({ identifiers: { email: 'Ann@Example.com' } })
})

test('options apply as without encryption', async () => {
  const sendAfter = new Date(Date.now() + 60_000)
  const options = {
    orderingKey: 'account-7',
    workspace: 'brand',
    priority: 'bulk',
    onAmbiguous: 'resend',
  } as const
  await store(intents.track('u1', 'a'), { ...options, sendAfter })
  await store([intents.track('u1', 'b'), intents.track('u2', 'c')], options)
  const found = await rows()
  expect(
    found.map(({ orderingKey, destination, priority }) => ({ orderingKey, destination, priority })),
  ).toEqual(found.map(() => ({ orderingKey: 'account-7', destination: 'brand/track', priority: 'bulk' })))
  expect(found.map(({ lane }) => lane === -1)).toEqual([true, false, false])
  expect(found.map(open)).toMatchObject([{ name: 'a' }, { name: 'b' }, { name: 'c' }])
})

test('names stay readable only if the app wants it', async () => {
  const readable = createOutbox({ encryption: { keys: [k1], readableNames: true } })
  await store(intents.track('u1', 'order_placed'))
  await store(intents.track('u1', 'order_placed'), {}, readable)
  await store([intents.track('u1', 'x'), intents.destroy('u1')], {}, readable)
  expect((await rows()).map(({ name }) => name)).toEqual([null, 'order_placed', 'x', null])
})

test('the key of dedup: content is that of the readable intent, whichever comes first', async () => {
  const [a, b] = [intents.track('u1', 'a', { n: 1 }), intents.track('u1', 'b', { n: 1 })]
  const first = await store(a, { dedup: 'content' }, plain)
  const again = await store(a, { dedup: 'content' })
  expect(again).toEqual({ id: first?.id, duplicate: true })
  const both = (await store([a, b, b], { dedup: 'content' })) as unknown as { duplicate: boolean }[]
  expect(both.map(({ duplicate }) => duplicate)).toEqual([true, false, true])
  expect(await store(b, { dedup: 'content' }, plain)).toMatchObject({ duplicate: true })
  expect((await rows()).map(({ format }) => format)).toEqual([2, 3])
})

test('statement() writes statements that store encrypted intents', async () => {
  const [a, b] = [intents.track('u1', 'a'), intents.track('u2', 'b')]
  const results = await db.transaction(async (tx) => {
    const one = outbox.statement(a, { dedupKey: 'one' })
    const two = outbox.statement([b, a])
    const statements = [one, one, two]
    const done: unknown[] = []
    for (const { text, values } of statements) done.push(...(await tx.query(text, values)).rows)
    expect(JSON.stringify(statements)).not.toContain('"name":"a"')
    return done
  })
  const found = await rows()
  expect(results).toEqual([
    { id: found[0]?.id, duplicate: false },
    { id: found[0]?.id, duplicate: true },
    ...found.slice(1).map(({ id }) => ({ id, duplicate: false })),
  ])
  expect(found.map(open)).toEqual([a, b, a].map(stored))
})

test('the clients of customerio-node store encrypted intents', async () => {
  await db.transaction(async (tx) => {
    await outbox.trackClient(tx).track('u1', { name: 'a' })
    await outbox.pipelinesClient(tx).track({ userId: 'u1', event: 'b' })
  })
  const found = await rows()
  expect(found.map(({ format }) => format)).toEqual([3, 3])
  expect(found.map(open)).toMatchObject([{ name: 'a' }, { message: { event: 'b' } }])
})

describe('sizes', () => {
  const filled = (bytes: number) => intents.track('u1', 'a', { text: 'x'.repeat(bytes) })
  test('an intent at the limit is stored, and one above it is refused by the size of its plaintext', async () => {
    let most = 31_000
    while (accepted(filled(most + 1))) most++
    const error = await store(filled(most + 1)).catch((refused: unknown) => refused)
    expect(error).toBeInstanceOf(InvalidIntentError)
    expect((error as InvalidIntentError).limit).toBe(32_000)
    await store(filled(most))
    await store([filled(most), filled(most)])
    expect((await rows()).map(open)).toEqual(Array.from({ length: 3 }, () => stored(filled(most))))
  })

  test('a message of nearly 3,000,000 bytes is stored', async () => {
    const message: Intent = {
      operation: 'sendEmail',
      message: {
        to: 'a@example.com',
        identifiers: { id: 'u1' },
        transactional_message_id: 1,
        message_data: { text: 'x'.repeat(2_999_000) },
      },
    }
    await store(message)
    expect(open((await rows())[0])).toEqual(stored(message))
  })
})

describe('a function that returns the key', () => {
  test('is called once for each call of enqueue, and may be asynchronous', async () => {
    let calls = 0
    const current = async () => {
      calls++
      return k2
    }
    const own = createOutbox({ encryption: { current } })
    await store([intents.track('u1', 'a'), intents.track('u2', 'b')], {}, own)
    await store(intents.track('u1', 'c'), {}, own)
    expect(calls).toBe(2)
    expect((await rows()).map(({ payload }) => payload.key)).toEqual(['k2', 'k2', 'k2'])
  })

  test('does not see what the app changes after the call', async () => {
    let give: (key: typeof k1) => void = () => {}
    const own = createOutbox({
      encryption: {
        current: () =>
          new Promise((resolve) => {
            give = resolve
          }),
      },
    })
    await db.transaction(async (tx) => {
      const data = { n: 1 }
      const storing = own.enqueue(tx, intents.track('u1', 'a', data))
      data.n = 2
      give(k1)
      await storing
    })
    expect(open((await rows())[0])).toMatchObject({ data: { n: 1 } })
  })

  test('fails the call if it fails, and leaves the intent out with onError', async () => {
    const ignored: Error[] = []
    const current = () => Promise.reject(new Error('the KMS is down'))
    const own = createOutbox({ encryption: { current }, onIgnored: (error) => ignored.push(error) })
    const error = await store(intents.track('u1', 'a'), {}, own).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(EncryptionKeyError)
    expect((error as Error).cause).toMatchObject({ message: 'the KMS is down' })
    const result = await store(intents.track('u1', 'a'), { onError: 'ignore' }, own)
    expect([result?.error, ignored.length]).toEqual([expect.any(EncryptionKeyError), 1])
    expect(await rows()).toEqual([])
  })

  test('must return a key of 32 bytes', async () => {
    const own = createOutbox({ encryption: { current: () => ({ id: 'k', key: 'secret-of-the-app' }) } })
    const error = await store(intents.track('u1', 'a'), {}, own).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(EncryptionKeyError)
    expect((error as Error).message).not.toContain('secret-of')
  })

  test('works for a statement if it returns a key at once', () => {
    expect(
      createOutbox({ encryption: { current: () => k1 } }).statement(intents.destroy('u1')).values,
    ).toHaveLength(11)
    const late = createOutbox({ encryption: { current: async () => k1 } })
    expect(() => late.statement(intents.destroy('u1'))).toThrow(
      'Expected encryption.current to return a key at once for a statement, got a promise',
    )
  })
})

test.each<[string, unknown, string]>([
  ['no keys', {}, 'Expected encryption.keys to be a list such as'],
  ['an unset variable', { keys: undefined }, 'got nothing'],
  ['an empty variable', { keys: '' }, 'got another text at place 1 of 1'],
  ['both', { keys: [k1], current: () => k1 }, 'Expected encryption to have keys or current, got both'],
  ['an unknown name', { key: k1 }, 'did you mean keys?'],
  ['a text', ringText(k1), 'Expected encryption to be an object, got string'],
  [
    'a name of another type',
    { keys: [k1], readableNames: 1 },
    'encryption.readableNames to be true or false',
  ],
])('createOutbox refuses %s', (_, encryption, message) => {
  const create = () => createOutbox({ encryption: encryption as { keys: string } })
  expect(create).toThrow(InvalidOptionError)
  expect(create).toThrow(message)
})

test('nothing of a payload is readable in the database', async () => {
  const marker = 'MARKERxPLAINTEXT'
  await store([
    intents.track('u1', `${marker}1`, { [`${marker}2`]: `${marker}3` }),
    intents.identify('u1', { email: `${marker}4@example.com` }),
  ])
  await store({
    operation: 'sendEmail',
    message: { to: `${marker}5@example.com`, identifiers: { id: 'u1' }, transactional_message_id: marker },
  })
  const dump = await dumpDatabase(db)
  expect(dump).toContain('u1')
  expect(dump.toLowerCase()).not.toContain(marker.toLowerCase())
  expect(dump).not.toContain(k1.key)
})

describe('the SQL functions', () => {
  const sealed = async () => {
    await store(intents.track('u1', 'a'))
    const [row] = await rows()
    await db.rows('TRUNCATE outbox.intents')
    return JSON.stringify(row?.payload)
  }
  const one = (args: readonly unknown[]) =>
    db.rows('SELECT * FROM outbox.enqueue_encrypted($1, $2, $3, ordering_key => $4)', [...args])
  const many = ([operation, envelope, name, key]: readonly unknown[]) =>
    db.rows(
      `SELECT * FROM outbox.enqueue_encrypted_many(ARRAY['track', $1], $2, ARRAY['', coalesce($3, '')], NULL, '7 days', ARRAY['u', $4])`,
      [operation, `${String(envelope)}\u001e${String(envelope)}`, name, key],
    )

  test('are what the app may call', async () => {
    const role = await createLoginRole(db, 'outbox_enqueue')
    const app = new pg.Client({ connectionString: role.url })
    await app.connect()
    const sql = 'SELECT duplicate FROM outbox.enqueue_encrypted($1, $2, NULL, ordering_key => $3)'
    const { rows: found } = await app.query(sql, ['track', await sealed(), 'u1'])
    await app.end()
    await role.drop()
    expect(found).toEqual([{ duplicate: false }])
  })

  test('refuse what is no encrypted intent', async () => {
    const envelope = await sealed()
    const refusals: readonly (readonly [string, readonly unknown[], string])[] = [
      ['a readable payload', ['track', '{"customerId":"u1","name":"a"}', null, 'u1'], 'is no envelope'],
      ['spaces', ['track', envelope.replace(':', ': '), null, 'u1'], 'is no envelope'],
      ['another field', ['track', envelope.replace('}', ',"name":"a"}'), null, 'u1'], 'is no envelope'],
      ['another version', ['track', envelope.replace('"v":1', '"v":2'), null, 'u1'], 'is no envelope'],
      [
        'a short tag',
        ['track', envelope.replace(/"data":"[^"]+"/, '"data":"AAAA"'), null, 'u1'],
        'is no envelope',
      ],
      [
        'a large one',
        ['track', envelope.replace('"data":"', `"data":"${'A'.repeat(44_000)}`), null, 'u1'],
        'is no envelope',
      ],
      ['an unknown operation', ['trak', envelope, null, 'u1'], "unknown operation 'trak'"],
      ['no ordering key', ['track', envelope, null, ''], 'ordering_key is 0 bytes'],
      ['a long ordering key', ['track', envelope, null, 'x'.repeat(501)], 'ordering_key is 501 bytes'],
    ]
    for (const [what, args, message] of refusals) {
      await expect(one(args), what).rejects.toThrow(message)
      await expect(many(args), what).rejects.toThrow(message)
    }
    await expect(one(['track', envelope, null, null])).rejects.toThrow('ordering_key is 0 bytes')
    await expect(one(['track', null, null, 'u1'])).rejects.toThrow('is no envelope')
    await expect(many(['track', envelope, null, 'u1'])).resolves.toHaveLength(1)
    const lengths = `SELECT * FROM outbox.enqueue_encrypted_many(ARRAY['track'], $1, ARRAY['', ''], NULL, '7 days', ARRAY['u'])`
    await expect(db.rows(lengths, [envelope])).rejects.toThrow('is no envelope')
  })

  test('store nothing for an empty array', async () => {
    expect(await db.transaction((tx) => outbox.enqueue(tx, []))).toEqual([])
    const [row] = await db.rows(
      `SELECT * FROM outbox.enqueue_encrypted_many('{}', '', '{}', NULL, '7 days', '{}')`,
    )
    expect(row).toEqual({ ids: [], duplicates: [] })
  })
})
