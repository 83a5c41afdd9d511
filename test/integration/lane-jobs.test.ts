import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

test('the end of a turn that could not be told is told later: its lane waits for no heartbeat', async () => {
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
  // As done, and then as failed: more the turn does not try.
  await eventually(
    'the end of the turn to be refused',
    () => errors.filter((m) => m === 'not now').length >= 2,
  )
  await h.drained()
  await h.db.rows('DROP TRIGGER refuse ON outbox_pgboss.job_common')
  await h.enqueue(track('u1', 3))
  await h.drained(8_000) // the heartbeat is missed after 10 s, and that is noticed later
  expect(h.fake.counts).toMatchObject({ applied: 3, duplicates: 0 })
})
