import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Intent, InvalidIntentError } from '../../src/index.ts'
import { recording } from '../support/recording-client.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'

/*
 * Guards that sizes are bytes of UTF-8, at enqueue (`utf8Bytes`) and at the cut (`cutBatch`).
 * A test fails after each of these changes:
 * - if `utf8Bytes` counts UTF-16 units: enqueue accepts operations over 32 KB, and the fake refuses all of them;
 * - if `cutBatch` does not cut by bytes: two requests are answered 413.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const KB = { operation: 32_000, batch: 500_000 }
const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/** An intent with a text of `count` characters, each 3 bytes in UTF-8 and one unit in UTF-16. */
const written = (person: string, count: number): Intent => ({
  operation: 'track',
  customerId: person,
  name: 'wrote',
  data: { text: '漢'.repeat(count) },
})

async function isTaken(intent: Intent): Promise<boolean> {
  const client = await h.db.begin()
  try {
    await h.outbox.enqueue(client, intent)
    return true
  } catch (error) {
    if (!(error instanceof InvalidIntentError)) throw error
    return false
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}

/** The most characters that `enqueue` accepts. */
async function longest(): Promise<number> {
  let [taken, refused] = [1, 20_000]
  while (refused - taken > 1) {
    const middle = Math.floor((taken + refused) / 2)
    if (await isTaken(written('p1', middle))) taken = middle
    else refused = middle
  }
  return taken
}

test('13: enqueue refuses an operation over 32 KB of UTF-8 before any SQL, and accepts one with a character less', async () => {
  const most = await longest()
  const id = await h.db.transaction(async (client) => {
    const tx = recording(client)
    await expect(h.outbox.enqueue(tx, written('p1', most + 1))).rejects.toThrow(InvalidIntentError)
    expect(tx.statements).toEqual([]) // the app's transaction is not spoilt
    return (await h.outbox.enqueue(tx, written('p1', most))).id
  })
  await h.relay()
  await h.drained()
  expect(await accountFor(h, [id ?? ''])).toMatchObject({ delivered: 1 })
  const [operation] = h.fake.applied
  expect(bytes(operation?.body)).toBeLessThanOrEqual(KB.operation)
  expect(bytes(operation?.body)).toBeGreaterThan(KB.operation - 10)
  // Counted in characters, its size is about a third.
  expect(JSON.stringify(operation?.body).length).toBeLessThan(KB.operation / 2)
  expect(h.fake.counts.refused).toBe(0)
})

test('13: a batch over 500 KB of multi-byte text is split by bytes, and every request is filled', async () => {
  const most = await longest()
  const ids = await h.enqueueWith(
    { orderingKey: 'one lane' },
    ...Array.from({ length: 40 }, (_, n) => written(`p${n % 9}`, most)),
  )
  await h.relay()
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 40, dead: 0 })
  expect(h.fake.requests.byStatus).toEqual({ 200: h.fake.requests.total })
  const sizes = h.fake.requests.recent.map((request) => request.bytes)
  expect(Math.max(...sizes)).toBeLessThan(KB.batch)
  for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(KB.batch - 2 * KB.operation)
  // If the relay counted characters, it would send one request of 1.3 MB.
  expect(sizes).toHaveLength(3)
})

test('13: an operation over the limit that was enqueued by SQL becomes a dead letter without a request, and delays no other', async () => {
  const most = await longest()
  const ids = await h.db.rows<{ id: string }>(
    `SELECT e.id FROM (VALUES ($1::int), (1)) AS given(count), LATERAL outbox.enqueue('track', jsonb_build_object(
       'customerId', 'p1', 'name', 'wrote', 'data', jsonb_build_object('text', repeat('漢', count)))) e`,
    [most + 1],
  )
  await h.relay()
  await h.drained()
  expect(
    await accountFor(
      h,
      ids.map(({ id }) => id),
    ),
  ).toMatchObject({ delivered: 1, dead: 1 })
  expect(h.fake.requests.recent.map(({ operations }) => operations)).toEqual([1])
  expect(await h.db.rows('SELECT id, reason, message FROM outbox.dead_letters')).toEqual([
    { id: ids[0]?.id, reason: 'invalid', message: expect.stringMatching(/32,?000 bytes/) },
  ])
})
