import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, peopleOfOneLane, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

test('the end of a turn that pg-boss could not record is recorded later: the lane does not wait until its heartbeat is missed', async () => {
  const errors: string[] = []
  const relay = await h.relay({ pollIntervalMs: 200 })
  relay.on('error', ({ message }) => errors.push(message))
  await h.enqueue(track('u1', 1))
  await h.drained()
  const active = () => h.db.rows("SELECT FROM outbox_pgboss.job_common WHERE state = 'active'")
  await eventually('the end of that turn', async () => (await active()).length === 0)
  await h.db.rows(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON outbox_pgboss.job_common
    FOR EACH ROW WHEN (OLD.state = 'active') EXECUTE FUNCTION refuse()`)
  await h.enqueue(track('u1', 2))
  // The turn reports its end twice: as done, and then as failed.
  await eventually(
    'the end of the turn to be refused',
    () => errors.filter((m) => m === 'not now').length >= 2,
  )
  await h.drained()
  await h.db.rows('DROP TRIGGER refuse ON outbox_pgboss.job_common')
  await h.enqueue(track('u1', 3))
  await h.drained(8_000) // a heartbeat is missed after 10 s, and noticed later
  expect(h.fake.counts).toMatchObject({ applied: 3, duplicates: 0 })
})

// The test fails if the end of the former turn removes the lane from `ActiveLanes`: then the later turn writes no heartbeat.
test('a lane comes back to its relay while the former turn still runs: its heartbeats continue', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  const others = Array.from({ length: 5 }, (_, n) => track(`other${n}`, 1))
  h.fake.latencyMs = 3_000
  await h.relay({ requestTimeoutMs: 30_000, pollIntervalMs: 200 })
  await h.enqueue(track(person, 1))
  await h.fake.until(({ requests }) => requests.total === 1)
  h.fake.latencyMs = 12_000
  const job = async () =>
    (
      await h.db.rows<{ retry_count: number; heartbeat: string }>(
        `SELECT retry_count, heartbeat_on::text AS heartbeat FROM outbox_pgboss.job
         WHERE state = 'active' AND singleton_key = 'default/track#3'`,
      )
    )[0]
  await h.db.rows("UPDATE outbox_pgboss.job SET state = 'retry', start_after = clock_timestamp()")
  await h.enqueue(...others) // the relay takes jobs, and gets this lane again
  await eventually('the second turn', async () => (await job())?.retry_count === 1)
  await eventually('the end of the first request', () => h.fake.requests.recent[0]?.status === 200)
  const before = (await job())?.heartbeat
  await eventually('a heartbeat', async () => (await job())?.heartbeat !== before, 7_000)
  expect(await job()).toMatchObject({ retry_count: 1 })
})
