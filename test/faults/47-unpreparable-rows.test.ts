/**
 * A test fails after each of these changes:
 * - if `prepareRow` (src/relay/destination/prepare-row.ts) rethrows errors, every turn of the lane fails, and the lane
 *   never drains;
 * - if src/relay/destination/recipient-allowlist.ts takes `String(value)` of every recipient, the second broadcast of the
 *   second test becomes a dead letter;
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
