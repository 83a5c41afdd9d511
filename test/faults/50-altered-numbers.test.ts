/**
 * A test fails after each of these changes:
 * - without the search for digits in a row in `outbox.check_intent` every altered number is accepted;
 * - without `extra_float_digits` in `outbox.altered_number` the session's setting rejects numbers that JavaScript writes;
 * - without `outbox.normalize_ids` 1 and 1.0 are two ordering keys.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contentKey } from '../../src/intent/keys/content-key.ts'
import { createOutbox, type Intent } from '../../src/index.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import {
  oldestAndNewest,
  type PostgresServer,
  startPostgresServer,
} from './support/servers/postgres-server.ts'

const ALTERED = [
  ...[
    '9007199254740993',
    '-9007199254740993',
    '10000000000000001',
    '1152921504606846976',
    '123456789.123456789',
  ],
  ...['0.12345678901234567890', '1e400', '-1e400', '1e-400', '1e20000', '3.14159265358979323846'],
]
const KEPT = [
  ...[
    '9007199254740991',
    '9007199254740992',
    '1152921504606847000',
    '31105403625765590',
    '1e21',
    '0.30000000000000004',
    '5e-324',
  ],
  ...['1.7976931348623157e308', '1.0', '100.00', '49.90', '1700000000.123456', '1e15', '123456789012345'],
]

describe.each(oldestAndNewest())('50: on $name', ({ major }) => {
  let server: PostgresServer
  let h: Harness
  beforeAll(async () => {
    server = await startPostgresServer({ major })
    h = await startHarness({}, await server.createDatabase())
  })
  afterAll(async () => {
    await h.close()
    await server.close()
  })

  const enqueue = (payload: string, set = '') =>
    h.db.transaction(async (tx) => {
      if (set) await tx.query(set)
      const { rows } = await tx.query(`SELECT outbox.enqueue('track', $1::text::jsonb)`, [payload])
      return rows
    })
  const enqueueMany = (payload: string) =>
    h.db.rows('SELECT outbox.enqueue_many($1::text::jsonb)', [`[{"operation":"track","payload":${payload}}]`])
  const holding = (value: string) => [
    `{"customerId":"u","name":"n","data":{"a":${value}}}`,
    `{"customerId":"u","name":"n","data":{"a":[{"b":[1,{"c":${value}}]}]}}`,
  ]

  test.each(ALTERED)('%s in a payload is rejected with any setting of the session', async (number) => {
    const refusal = {
      code: '22023',
      message: expect.stringMatching(
        /^outbox: track: a number in the payload must fit a double as it is written, got -?[0-9.]{1,60}$/,
      ),
      hint: 'Send it as a string.',
    }
    for (const payload of holding(number)) {
      await expect(enqueue(payload)).rejects.toMatchObject(refusal)
      await expect(enqueueMany(payload)).rejects.toMatchObject(refusal)
      for (const digits of [-15, 0, 3]) {
        await expect(enqueue(payload, `SET LOCAL extra_float_digits = ${digits}`)).rejects.toMatchObject(
          refusal,
        )
      }
    }
  })

  test('numbers that fit a double, and digits in a string, arrive unchanged', async () => {
    const data = Object.fromEntries(KEPT.map((number, n) => [`n${n}`, `@${number}@`]))
    data.text = '12345678901234567890.12345678901234567890'
    const payload = JSON.stringify({ customerId: 'kept', name: 'n', data }).replace(/"@([^"@]+)@"/g, '$1')
    for (const digits of [-15, 0, 3]) await enqueue(payload, `SET LOCAL extra_float_digits = ${digits}`)
    await h.relay()
    await h.drained()
    const arrived = h.fake.applied.filter(({ personKey }) => personKey === 'id:kept')
    expect(arrived).toHaveLength(3)
    for (const { body } of arrived) {
      const { attributes } = body as { attributes: Record<string, unknown> }
      expect(attributes).toEqual(JSON.parse(payload).data)
      expect(attributes.text).toBe(data.text)
    }
    expect(await h.db.rows('SELECT FROM outbox.dead_letters')).toEqual([])
  })

  test('every number that JavaScript writes is accepted, and every integer that it alters is rejected', async () => {
    /** Returns the numbers that are rejected. */
    const altered = async (numbers: string[]) => {
      const rows = await h.db.rows<{ n: string }>(
        'SELECT n FROM unnest($1::text[]) AS n WHERE outbox.altered_number(n::jsonb) IS NOT NULL',
        [numbers],
      )
      return rows.map(({ n }) => n)
    }
    const doubles = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 50 })
    const integers = fc.array(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), { minLength: 50 })
    await fc.assert(
      fc.asyncProperty(doubles, integers, async (written, whole) => {
        expect(await altered(written.map((number) => JSON.stringify(number)))).toEqual([])
        const lost = whole.filter((number) => digitsOf(Number(number)) !== String(number))
        expect(await altered(whole.map(String))).toEqual(lost.map(String))
      }),
      { numRuns: 20 },
    )
  })

  test('1, 1.0 and "1" are one person with one ordering key, one id on the wire and one content key', async () => {
    const customers = ['1', '1.0', '1.00', '"1"', '10e-1']
    for (const id of customers) await enqueue(`{"customerId":${id},"name":"step","data":{}}`)
    for (const id of customers) await enqueueMany(`{"identifiers":{"id":${id}},"name":"step","data":{}}`)
    const keys = await h.db.rows(`SELECT DISTINCT ordering_key, lane FROM outbox.intents`)
    expect(keys).toEqual([{ ordering_key: '1', lane: expect.any(Number) }])
    await h.relay()
    await h.drained()
    const arrived = h.fake.applied.filter(({ personKey }) => personKey === 'id:1')
    expect(arrived).toHaveLength(2 * customers.length)
    const content = customers.map((id) =>
      contentKey(JSON.parse(`{"operation":"track","customerId":${id},"name":"n"}`) as Intent),
    )
    expect(new Set(content).size).toBe(1)
    // A string that only looks like the number is another id.
    await enqueue('{"customerId":"1.0","name":"step"}')
    await h.drained()
    expect(h.fake.applied.at(-1)?.personKey).toBe('id:1.0')
  })

  test('enqueue of an array skips the check of numbers and stores the same rows as enqueue of each intent', async () => {
    const numbers = [1e21, 31_105_403_625_765_590, 0.300_000_000_000_000_04, 5e-324, 1]
    const intents = numbers.map(
      (n): Intent => ({ operation: 'track', customerId: 2 ** 53 - 1, name: 'n', data: { n } }),
    )
    const outbox = createOutbox()
    await h.db.transaction(async (tx) => {
      await outbox.enqueue(tx, intents, { workspace: 'unserved' })
      for (const intent of intents) await outbox.enqueue(tx, intent, { workspace: 'unserved' })
    })
    const rows = await h.db.rows<{ ordering_key: string; payload: unknown }>(
      `DELETE FROM outbox.intents WHERE destination = 'unserved/track' RETURNING seq, ordering_key, payload::text`,
    )
    const keys = rows.map(({ ordering_key, payload }) => ({ ordering_key, payload }))
    expect(keys.slice(0, numbers.length)).toEqual(keys.slice(numbers.length))
    expect(keys).toHaveLength(2 * numbers.length)
  })

  test.each([
    ['mergeCustomers', '{"primary":{"id":@},"secondary":{"id":"b"}}'],
    ['sendEmail', '{"message":{"to":"a","identifiers":{"id":@},"transactional_message_id":1}}'],
    ['pipelines.track', '{"message":{"userId":@,"event":"e"}}'],
    ['entity', '{"entity":{"type":"person","action":"event","identifiers":{"id":@},"name":"n"}}'],
    ['triggerBroadcast', '{"broadcastId":@}'],
  ])('for %s, 7, 7.0 and "7" give one ordering key, and 7.5 gives another', async (operation, payload) => {
    const keyOf = async (id: string) => {
      const [row] = await h.db.rows<{ key: string }>(
        `WITH stored AS MATERIALIZED (SELECT id FROM outbox.enqueue($1, $2::text::jsonb, workspace => 'unserved'))
         SELECT id AS key FROM stored`,
        [operation, payload.replace('@', id)],
      )
      const [stored] = await h.db.rows<{ key: string }>(
        'SELECT ordering_key AS key FROM outbox.intents WHERE id = $1',
        [row?.key],
      )
      return stored?.key
    }
    expect(new Set([await keyOf('7'), await keyOf('7.0'), await keyOf('"7"')]).size).toBe(1)
    expect(await keyOf('7.5')).not.toBe(await keyOf('7'))
    if (operation !== 'sendEmail')
      for (const id of ['true', '{"a":1}', '[1]']) await expect(keyOf(id)).rejects.toThrow('names no')
  })
})

/** A whole number as JavaScript writes it, with zeros in place of the exponent: 1e+21 is 1000000000000000000000. */
function digitsOf(number: number): string {
  const [mantissa = '', exponent] = JSON.stringify(number).split('e+')
  if (exponent === undefined) return mantissa
  const [whole = '', fraction = ''] = mantissa.split('.')
  return whole + fraction.padEnd(Number(exponent), '0')
}
