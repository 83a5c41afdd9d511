/**
 * A test fails after each of these changes:
 * - if `prepareRow` (src/relay/destination/prepare-row.ts) rethrows errors, every turn of the lane fails, and the lane
 *   never drains;
 * - if src/relay/destination/recipient-allowlist.ts takes `String(value)` of every recipient, the second broadcast of the
 *   second test becomes a dead letter;
 * - if `withEventId` (src/customerio/transports/wire-text.ts) writes into every text that begins like an event, or lets
 *   other texts pass, an edited row is sent, or spoils its neighbour;
 * - if `outbox.payload_of` fails for a payload that it cannot read, the lane of the test of deep payloads never drains;
 * - if `outbox.payload_of` casts the timestamp of a wire text to a number, the lane of the last test never drains;
 * - if recipient-allowlist.ts leaves out recipients of `per_user_data` that are not text, the broadcasts are sent.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { everyApi, type Harness, peopleOfOneLane, startHarness, track } from '../support/relay-harness.ts'

const SECRET = 'jane.doe-4711'
/** Invalid rows that a caller can write by SQL. The test gives each an ordering key, so that enqueue stores it. */
const POISON: readonly (readonly [operation: string, payload: string])[] = [
  ['track', `{"customerId":{"toString":1},"name":"${SECRET}"}`],
  ['track', `{"customerId":{"toString":1,"valueOf":1,"toJSON":1},"name":"${SECRET}"}`],
  ['track', `{"customerId":["${SECRET}"],"name":"n"}`],
  ['track', '{"customerId":true,"name":"n"}'],
  ['track', `{"identifiers":{"id":{"toString":"${SECRET}"}},"name":"n"}`],
  ['track', `{"customerId":"a","name":{"toString":1},"data":{"a":"${SECRET}"}}`],
  ['track', `{"customerId":"a","name":"n","data":{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`],
  ['track', `{"customerId":"a","__proto__":{"customerId":{"toString":1}},"secret":"${SECRET}"}`],
  ['mergeCustomers', `{"primary":{"id":{"toString":1}},"secondary":{"id":"${SECRET}"}}`],
  [
    'entity',
    `{"entity":{"type":"person","action":"event","identifiers":{"id":{"toString":1}},"name":"${SECRET}"}}`,
  ],
  [
    'sendEmail',
    `{"message":{"to":"${SECRET}","identifiers":{"id":{"toString":1}},"transactional_message_id":1}}`,
  ],
  ['sendEmail', `{"message":{"to":{"toString":1},"identifiers":{"id":"a"},"body":"${SECRET}"}}`],
  ['triggerBroadcast', `{"broadcastId":{"toString":1},"data":{"a":"${SECRET}"}}`],
  ['triggerBroadcast', '{"broadcastId":1,"recipients":{"emails":[{"toString":1}]}}'],
  ['triggerBroadcast', `{"broadcastId":1,"recipients":{"ids":[${'['.repeat(5_000)}${']'.repeat(5_000)}]}}`],
  ['triggerBroadcast', `{"broadcastId":1,"recipients":{"per_user_data":["${SECRET}"]}}`],
  ['pipelines.track', `{"message":{"userId":{"toString":1},"event":"${SECRET}"}}`],
]

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

test.each([
  ['with allowRecipients', { allowRecipients: ['*'] }],
  ['without allowRecipients', {}],
])(
  '47: rows that are not valid intents become dead letters, and their lanes go on: %s',
  async (_name, settings) => {
    const [first, second] = (await peopleOfOneLane(h.db, 'default/track', 2)) as [string, string]
    for (const [operation, payload] of POISON) {
      await h.db.rows('SELECT outbox.enqueue($1, $2::text::jsonb, ordering_key => $3)', [
        operation,
        payload,
        first,
      ])
    }
    await h.enqueue(track(first, 1), track(second, 1))
    const relay = await h.relay({ workspaces: { default: { ...everyApi(h.fake), ...settings } } })
    const errors: Error[] = []
    const failures: unknown[] = []
    relay.on('error', (error) => errors.push(error))
    relay.on('laneFailed', (failure) => failures.push(failure))
    await h.drained(10_000)
    expect({ errors, failures }).toEqual({ errors: [], failures: [] })
    expect(h.fake.applied.map(({ personKey }) => personKey).sort()).toEqual(
      [`id:${first}`, `id:${second}`].sort(),
    )
    expect(h.fake.requests.total).toBeLessThanOrEqual(2)
    const dead = await h.db.rows<{ reason: string; message: string }>(
      'SELECT reason, message FROM outbox.dead_letters',
    )
    expect(dead.map(({ reason }) => reason)).toEqual(POISON.map(() => 'invalid'))
    for (const { message } of dead) {
      expect(message).not.toBe('')
      expect(message).not.toContain(SECRET)
    }
  },
)

test('47: allowRecipients allows no recipient that is not text', async () => {
  const ids = await Promise.all(
    ['[{"email":"qa@example.com"},{"id":4711}]', '[{"email":"qa@example.com","id":{"toString":1}}]'].map(
      async (people) => {
        const [row] = await h.db.rows<{ id: string }>(
          `SELECT id FROM outbox.enqueue('triggerBroadcast', $1::text::jsonb)`,
          [`{"broadcastId":1,"recipients":{"per_user_data":${people}}}`],
        )
        return row?.id
      },
    ),
  )
  await h.relay({ workspaces: { default: { ...everyApi(h.fake), allowRecipients: ['*@example.com'] } } })
  await h.drained()
  expect(h.fake.requests.total).toBe(0)
  expect(await h.db.rows('SELECT outcome FROM outbox.delivered WHERE id = ANY ($1)', [ids])).toEqual([
    { outcome: 'suppressed_by_config' },
    { outcome: 'suppressed_by_config' },
  ])
})

test('47: enqueue of the TypeScript API refuses these shapes before any SQL', async () => {
  const tx = await h.db.begin()
  try {
    for (const [operation, payload] of POISON) {
      const intent = { operation, ...JSON.parse(payload) }
      await expect(h.outbox.enqueue(tx, intent)).rejects.toMatchObject({ code: 'INVALID_INTENT' })
    }
    const own = { customerId: { toString: () => 'u1', toJSON: () => 'u1' }, operation: 'track', name: 'n' }
    const hidden = Object.defineProperty({}, 'toJSON', { value: () => ({ a: 1n }) })
    for (const intent of [own, { operation: 'track', customerId: 'u1', name: 'n', data: { hidden } }]) {
      await expect(h.outbox.enqueue(tx, intent as never)).rejects.toMatchObject({ code: 'INVALID_INTENT' })
    }
  } finally {
    await tx.query('ROLLBACK')
    tx.release()
  }
})

test('47: a row that an owner of the schema wrote wrong stops no other intent, and is not lost', async () => {
  const [first, second] = (await peopleOfOneLane(h.db, 'default/track', 2)) as [string, string]
  const rows: readonly (readonly [format: number, payload: string, priority: string, onAmbiguous: string])[] =
    [
      [1, '[]', 'normal', 'park'],
      [1, '{"customerId":"a","name":"an unknown priority"}', 'high', 'park'],
      [1, '{"customerId":"a","name":"an unknown onAmbiguous"}', 'normal', 'retry'],
      [2, '[]', 'normal', 'park'],
      [2, '"identifiers"', 'normal', 'park'],
      [2, '{"id":"short"}', 'normal', 'park'],
      // As jsonb writes a wire text that was edited.
      [2, '{"id": "00000000000000000000000000", "name": "n", "type": "person"}', 'normal', 'park'],
      [2, '{"timestamp":"yesterday","identifiers":[]}', 'normal', 'park'],
    ]
  for (const row of rows) {
    await h.db.rows(
      `INSERT INTO outbox.intents (destination, lane, id, format, operation, payload, priority, on_ambiguous, ordering_key,
                                   enqueued_at)
       VALUES ('default/track', 3, gen_random_uuid(), $1, 'track', $2, $3, $4, $5, now())`,
      [...row, first],
    )
  }
  await h.enqueue(track(first, 1), track(second, 1))
  await h.relay()
  await h.drained(10_000)
  const dead = await h.db.rows('SELECT format, reason FROM outbox.dead_letters ORDER BY seq')
  expect(dead).toEqual([
    ...[1, 2, 3, 4, 5].map(() => ({ format: 1, reason: 'invalid' })),
    { format: 1, reason: 'rejected' },
  ])
  expect(h.fake.counts).toMatchObject({ applied: 4 })
})

/** The greatest number for which `accepts` resolves with true. */
async function greatest(accepts: (n: number) => Promise<boolean>): Promise<number> {
  let [taken, refused] = [1, 64_000]
  while (refused - taken > 1) {
    const middle = Math.floor((taken + refused) / 2)
    if (await accepts(middle)) taken = middle
    else refused = middle
  }
  return taken
}

test('47: a payload that is nested as deep as enqueue can read becomes a dead letter, and its lane goes on', async () => {
  const [first] = (await peopleOfOneLane(h.db, 'default/track', 1)) as [string]
  const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
  const calls: readonly ((depth: number) => readonly [text: string, values: unknown[]])[] = [
    (depth) => [
      `SELECT outbox.enqueue_wire_with('track', 'id', $1, 'deep', $2, NULL, expires_at => now() + interval '100 ms')`,
      [first, nested(depth)],
    ],
    (depth) => [
      `SELECT outbox.enqueue('track', $1::text::jsonb, expires_at => now() + interval '100 ms')`,
      [`{"customerId":"${first}","name":"deep","data":${nested(depth)}}`],
    ],
  ]
  for (const call of calls) {
    const depth = await greatest(async (n) => {
      const [text, values] = call(n)
      return h.db.rows(text, values).then(
        () => true,
        () => false,
      )
    })
    expect(depth).toBeGreaterThan(1_000)
  }
  await h.enqueue(track(first, 1))
  const errors: unknown[] = []
  const relay = await h.relay()
  relay.on('laneFailed', (failure) => errors.push(failure))
  await h.drained(20_000)
  expect(errors).toEqual([])
  const dead = await h.db.rows('SELECT DISTINCT reason FROM outbox.dead_letters')
  expect(dead).toEqual([{ reason: 'expired' }])
  expect(h.fake.counts).toMatchObject({ applied: 1 })
})
