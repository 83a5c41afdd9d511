import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type EnqueueOptions, type Intent, intents } from '../../src/index.ts'
import {
  deliverInto,
  type FakeCustomerIo,
  migratePglite,
  startFakeCustomerIo,
} from '../../src/testing/index.ts'
import { createTestDatabase } from '../support/database.ts'
import { email, stepOf, track } from '../support/relay-harness.ts'

/** A database of a test, on a server or in the process. */
interface Place {
  readonly from: string | PGlite
  /** Enqueues and commits. */
  enqueue(given: Intent[], options?: Omit<EnqueueOptions, 'dedupKey'>): Promise<void>
  run(statement: string): Promise<unknown>
  close(): Promise<unknown>
}

const outbox = createOutbox()

async function onServer(): Promise<Place> {
  const db = await createTestDatabase()
  return {
    from: db.url,
    enqueue: async (given, options = {}) =>
      void (await db.transaction((tx) => outbox.enqueue(tx, given, options))),
    run: (statement) => db.pool.query(statement),
    close: () => db.drop(),
  }
}

async function inProcess(): Promise<Place> {
  const pglite = await PGlite.create()
  await migratePglite(pglite)
  return {
    from: pglite,
    enqueue: async (given, options = {}) =>
      void (await pglite.transaction((tx) => outbox.enqueue(tx, given, options))),
    run: (statement) => pglite.exec(statement),
    close: () => pglite.close(),
  }
}

const CLEAR =
  'TRUNCATE outbox.intents, outbox.dedup, outbox.breakers, outbox.dead_letters; DELETE FROM outbox.delivered'
const NOTHING = { delivered: 0, suppressed: 0, deadLetters: [], pending: 0, scheduled: 0, failures: [] }

describe.each([
  ['a server', onServer],
  ['PGlite', inProcess],
])('deliverInto from %s', (_, open) => {
  let place: Place
  let fake: FakeCustomerIo
  beforeAll(async () => {
    place = await open()
  })
  afterAll(() => place.close())
  beforeEach(async () => {
    await place.run(CLEAR)
    fake = await startFakeCustomerIo({ sequenceOf: stepOf, siteId: 'site', trackApiKey: 'key' })
  })
  afterEach(() => fake.close())

  const deliver = (settings = {}) => deliverInto(fake, { from: place.from, settings })

  test('a database that a relay serves is refused, and nothing is delivered', async () => {
    await place.enqueue([track('u1', 1)])
    await place.run(
      `INSERT INTO outbox.relays (relay_id, host, pid, version, started_at, last_seen_at)
       VALUES (gen_random_uuid(), 'app-1', 1, '0.1.0', now(), now())`,
    )
    await expect(deliverInto(fake, { from: place.from })).rejects.toThrow('a relay on app-1 serves')
    await place.run(`UPDATE outbox.relays SET last_seen_at = now() - interval '3 minutes'`)
    expect(await deliverInto(fake, { from: place.from })).toEqual({ ...NOTHING, delivered: 1 })
    await place.run('DELETE FROM outbox.relays')
  })

  test('does nothing if nothing is pending', async () => {
    expect(await deliver()).toEqual(NOTHING)
    expect(fake.counts.requests).toBe(0)
  })

  test('sends everything that is pending, of every API and workspace, in the order of each person', async () => {
    const steps = Array.from({ length: 40 }, (_, n) => track(`u${n % 10}`, n))
    await place.enqueue(steps)
    await place.enqueue([email('u1', 1), intents.triggerBroadcast(7), intents.triggerBroadcast(8)])
    await place.enqueue([intents.pipelines.track({ userId: 'u1', event: 'signed_up' })])
    await place.enqueue([track('u1', 99)], { workspace: 'brand', priority: 'bulk' })
    expect(await deliver()).toEqual({ ...NOTHING, delivered: 45 })
    expect(fake.counts).toMatchObject({ applied: 41, sends: 1, broadcasts: 2, pipelines: 1, outOfOrder: 0 })
    expect(await deliver()).toEqual(NOTHING)
  })

  test('an outage leaves the intents in the queue, in their order, and the next call delivers them', async () => {
    await place.enqueue([track('u1', 1), track('u2', 1)])
    fake.misbehave({ kind: 'serverError', status: 503 })
    const down = await deliver()
    expect(down).toMatchObject({ delivered: 0, deadLetters: [], pending: 2 })
    expect(down.failures).toEqual([expect.stringMatching(/^default\/track: 503/)])
    await place.enqueue([track('u1', 2), track('u2', 2)])
    for (let n = 0; n < 10; n++) expect(await deliver()).toMatchObject({ delivered: 0, pending: 4 })
    fake.behave()
    expect(await deliver()).toEqual({ ...NOTHING, delivered: 4 })
    expect(fake.counts).toMatchObject({ applied: 4, outOfOrder: 0 })
  })

  test('a refused intent becomes a dead letter, and stops no other', async () => {
    await place.enqueue([track('u1', 1), intents.track('u2', 'refused'), track('u1', 2), track('u3', 1)])
    fake.misbehave({ kind: 'badRequest', operation: ({ name }) => name === 'refused' })
    const { deadLetters, ...rest } = await deliver()
    expect(rest).toEqual({ delivered: 3, suppressed: 0, pending: 0, scheduled: 0, failures: [] })
    expect(deadLetters).toMatchObject([{ destination: 'default/track', reason: 'rejected', status: 400 }])
  })

  test('refused keys and rate limits end with the call', async () => {
    await place.enqueue([track('u1', 1), track('u2', 1), track('u3', 1)])
    const { credentials } = fake
    fake.credentials = { ...credentials, apiKey: 'other' }
    expect(await deliver({ siteId: 'site', trackApiKey: 'key' })).toMatchObject({
      pending: 3,
      failures: [expect.stringMatching(/^default\/track: 401/)],
    })
    fake.credentials = credentials
    fake.misbehave({ kind: 'rateLimit', retryAfter: 60, times: 1 })
    expect(await deliver()).toMatchObject({ failures: [expect.stringMatching(/^default\/track: 429/)] })
    fake.behave()
    expect(await deliver()).toMatchObject({ pending: 0, failures: [] })
    expect(fake.counts.applied).toBe(3)
  })

  test("an operator's pause holds", async () => {
    await place.enqueue([track('u1', 1)])
    await place.run("SELECT outbox.pause('default/track', 'maintenance')")
    expect(await deliver()).toMatchObject({
      delivered: 0,
      pending: 1,
      failures: [expect.stringContaining('default/track: ')],
    })
    await place.run("SELECT outbox.resume('default/track')")
    expect(await deliver()).toEqual({ ...NOTHING, delivered: 1 })
  })

  test('scheduled intents are sent when they are due', async () => {
    await place.enqueue([track('u1', 1)], { sendAfter: new Date(Date.now() + 3_600_000) })
    expect(await deliver()).toEqual({ ...NOTHING, scheduled: 1 })
    await place.run("UPDATE outbox.intents SET send_after = now() - interval '1 second'")
    expect(await deliver()).toEqual({ ...NOTHING, delivered: 1 })
  })

  test('sends to the fake alone, whatever the settings say', async () => {
    await place.enqueue([track('u1', 1)])
    const url = 'http://127.0.0.1:9'
    const production = { siteId: 'site', trackApiKey: 'key', trackUrl: url, appUrl: url, pipelinesUrl: url }
    expect(await deliver(production)).toEqual({ ...NOTHING, delivered: 1 })
    expect(fake.person({ id: 'u1' })?.events).toHaveLength(1)
    for (const other of ['https://track.customer.io', undefined]) {
      const call = deliverInto({ url: other, credentials: {} } as never, { from: place.from })
      await expect(call).rejects.toThrow('Expected fake to be the result of startFakeCustomerIo')
    }
  })

  test('applies the settings of a workspace', async () => {
    const outside = { to: 'a@other.org', identifiers: { id: 'x' }, transactional_message_id: 1 }
    await place.enqueue([email('inside', 1), intents.sendEmail(outside)])
    expect(await deliver({ allowRecipients: ['*@example.com'] })).toEqual({
      ...NOTHING,
      delivered: 1,
      suppressed: 1,
    })
  })
})

test('deliverInto refuses anything but an address or a PGlite database', async () => {
  await using fake = await startFakeCustomerIo()
  await expect(deliverInto(fake, { from: {} as never })).rejects.toThrow(
    'Expected from to be the URL of a database or a PGlite database',
  )
})

test('deliverInto rejects with the error of a database that was not migrated', async () => {
  const pglite = await PGlite.create()
  await using fake = await startFakeCustomerIo()
  await expect(deliverInto(fake, { from: pglite })).rejects.toThrow(
    'relation "outbox.intents" does not exist',
  )
  await pglite.close()
})

const CHILD = fileURLToPath(new URL('../support/kit-child.ts', import.meta.url))

test('node:test shows the diff, and the process ends by itself', async () => {
  const db = await createTestDatabase()
  const env = { ...process.env, DATABASE_URL: db.url }
  const { code, stdout } = await promisify(execFile)(process.execPath, [CHILD], { env }).then(
    () => ({ code: 0, stdout: '' }),
    (error: { code: number; stdout: string }) => error,
  )
  expect(code, stdout).toBe(1)
  expect(stdout).toMatch(/pass 1\b/)
  expect(stdout).toMatch(/- {5}total: 99\n\s*\+ {5}total: 42/)
  await db.drop()
})
