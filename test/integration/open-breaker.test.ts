import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/connection/database.ts'
import { openBreaker } from '../../src/store/breakers/open-breaker.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let testDb: TestDatabase
let db: Database
beforeAll(async () => {
  testDb = await createTestDatabase()
  db = openDatabase({ connectionString: testDb.url })
})
afterAll(async () => {
  await db.close()
  await testDb.drop()
})
beforeEach(() => testDb.rows('TRUNCATE outbox.breakers, outbox.breaker_transitions'))

const open = (state: 'open' | 'paused', failureCount: number) =>
  openBreaker(db, {
    ...{ destination: 'default/track', relayId: '3ad3539f-6063-4aa9-83b2-366da0fbc206', state, failureCount },
    ...{ error: 'x', delayMs: 30_000, maxDelayMs: state === 'paused' ? 30_000 : 300_000 },
  })
/** Gives the fleet's probe to the relay. */
const probe = () =>
  testDb.rows(
    `UPDATE outbox.breakers SET state = 'half_open', probe_relay = '3ad3539f-6063-4aa9-83b2-366da0fbc206',
            probe_until = now() + interval '1 min'`,
  )
async function row() {
  const [found] = await testDb.rows<{ failures: number; seconds: number }>(
    `SELECT failure_count AS failures, round(extract(epoch FROM retry_at - clock_timestamp()))::int AS seconds
     FROM outbox.breakers`,
  )
  return found
}

test('the delay to the next probe doubles with every consecutive opening, up to its maximum', async () => {
  const delays: (number | undefined)[] = []
  for (let n = 0; n < 6; n++) {
    expect(await open('open', 5)).toBe(true)
    delays.push((await row())?.seconds)
    await probe()
  }
  expect(delays).toEqual([30, 60, 120, 240, 300, 300])
})

test('refused credentials do not make the delay of a later outage longer', async () => {
  for (let n = 0; n < 9; n++) {
    await open('paused', 1)
    expect(await row()).toMatchObject({ seconds: 30 })
    await probe()
  }
  await open('open', 1)
  expect(await row()).toMatchObject({ seconds: 30 })
  await probe()
  await open('open', 1)
  expect(await row()).toMatchObject({ seconds: 60 })
})

test('a failed probe of a relay that has counted fewer failures does not lower the count', async () => {
  await open('open', 5)
  await probe()
  await open('open', 1)
  expect(await row()).toMatchObject({ failures: 5 })
})
