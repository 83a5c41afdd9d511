/**
 * A test fails after each of these changes:
 * - if `#settleWithRetry` (lane-writer.ts) treats a missing partition like any other error, or if `Partitions` gives up
 *   after its first try, every turn sends the same events again;
 * - without `writer.ready()` (turn.ts), the other lanes send events that cannot be settled.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { startPostgresServer } from './support/servers/postgres-server.ts'
import { createServerClock, findFaketime } from './support/servers/server-clock.ts'

const DAY = 86_400
const DESTINATION = 'default/track'
const PARTITIONS = `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox.delivered'::regclass`

let h: Harness
const errors: string[] = []
async function start(...given: Parameters<typeof startHarness>) {
  h = await startHarness(...given)
  errors.length = 0
  const relay = await h.relay()
  relay.on('error', ({ message }) => errors.push(message))
}

async function dropPartitions() {
  for (const { name } of await h.db.rows<{ name: string }>(PARTITIONS)) await h.db.rows(`DROP TABLE ${name}`)
}

async function settled(): Promise<number | undefined> {
  const [row] = await h.db.rows<{ count: number }>('SELECT count(*)::int AS count FROM outbox.delivered')
  return row?.count
}

test('44: a settlement that finds no partition for today creates it', async () => {
  await start({ sequenceOf: stepOf })
  try {
    await dropPartitions()
    await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`p${n % 20}`, n)))
    await h.drained(3_000)
    expect(await settled()).toBe(40)
    expect(h.fake.counts).toMatchObject({ applied: 40, duplicates: 0, outOfOrder: 0 })
    expect(errors).toEqual([])
  } finally {
    await h.close()
  }
})

test('44: if the partition cannot be created, nothing is sent twice, and lanes that have not sent yet wait', async () => {
  await start({ sequenceOf: stepOf })
  const keeper = await h.db.begin()
  try {
    await dropPartitions()
    const [first = ''] = await peopleOfOneLane(h.db, DESTINATION, 1)
    await keeper.query('LOCK TABLE outbox.delivered IN SHARE UPDATE EXCLUSIVE MODE')
    await h.enqueue(track(first, 1))
    await eventually('a settlement that fails', () => errors.length > 0, 5_000)
    await h.enqueue(track(first, 2), ...Array.from({ length: 20 }, (_, n) => track(`p${n}`, n)))
    await eventually('the lanes to be taken', async () => {
      const [row] = await h.db.rows<{ taken: number }>(
        'SELECT count(*)::int AS taken FROM outbox.lanes WHERE relay_id IS NOT NULL',
      )
      return (row?.taken ?? 0) > 5
    })
    await delay(1_000) // time in which the lanes would send
    const [health] = await h.db.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health')
    expect(health?.reasons).toContainEqual(expect.stringMatching(/delivered has no partition for today/))
    expect(h.fake.requests.total).toBe(1)
    expect(errors).toEqual([expect.stringMatching(/no partition for today, .*lock timeout/)])
    await keeper.query('COMMIT')
    await h.drained(5_000)
    expect(await settled()).toBe(22)
    expect(h.fake.counts).toMatchObject({ applied: 22, duplicates: 0, outOfOrder: 0 })
  } finally {
    keeper.release(true)
    await h.close()
  }
})

test('44: a relay stops in time even if the partition cannot be created', async () => {
  await start({ sequenceOf: stepOf })
  try {
    await dropPartitions()
    await h.db.rows(`CREATE TABLE outbox.${await today()} (n int)`) // a table that is no partition but has its name
    await h.enqueue(track('ada', 1))
    await eventually('a settlement that fails', () => errors.length > 0, 5_000)
    expect(errors).toEqual([expect.stringMatching(/no partition for today, .*already exists/)])
  } finally {
    const began = performance.now()
    await h.close()
    expect(performance.now() - began).toBeLessThan(5_000)
  }
})

async function today(): Promise<string> {
  const [row] = await h.db.rows<{ name: string }>(
    `SELECT 'delivered_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AS name`,
  )
  return row?.name ?? ''
}

const library = findFaketime('a clock that jumps by days (scenario 44)')

test.skipIf(!library)(
  '44: every intent is sent once if the clock jumps 4 days ahead and 10 days back',
  async () => {
    const clock = await createServerClock(library as string)
    const server = await startPostgresServer({ clock })
    try {
      await start({ sequenceOf: stepOf }, await server.createDatabase())
      let sent = 0
      for (const offset of [0, 4 * DAY, -6 * DAY]) {
        await clock.set(offset)
        await h.enqueue(...Array.from({ length: 20 }, (_, n) => track(`p${n}`, sent + n)))
        sent += 20
        await h.drained(5_000)
      }
      expect(h.fake.counts).toMatchObject({ applied: sent, duplicates: 0, outOfOrder: 0 })
      expect(await settled()).toBe(sent)
    } finally {
      await h.close()
      await server.close()
      await clock.close()
    }
  },
)
