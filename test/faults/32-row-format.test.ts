/**
 * A test fails after each of these changes:
 * - if `BlockedKeys.ready` (src/relay/turn/blocked-keys.ts) ignores `format`, the row is sent as if its format were
 *   known, and the first and the last test wait in vain for the report;
 * - if `LaneReader.skipKeys` (src/relay/turn/lane-reader.ts) keeps blocked rows among the rows that it has read, the
 *   second test waits in vain for the others.
 */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROW_FORMAT, WIRE_FORMAT } from '../../src/store/lanes/row-format.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const setFormat = (id: string | undefined, format: number) =>
  h.db.rows('UPDATE outbox.intents SET format = $2 WHERE id = $1', [id, format])
const left = () => h.db.rows<{ id: string }>('SELECT id FROM outbox.intents ORDER BY seq')

test('32: a row in a format that the relay does not know stays in the queue and is reported, while other people’s intents are sent', async () => {
  const [newer, ...others] = await peopleOfOneLane(h.db, 'default/track', 10)
  const ids = await h.enqueue(
    track(newer as string, 0),
    track(newer as string, 1),
    ...others.map((person) => track(person, 0)),
  )
  await setFormat(ids[0], ROW_FORMAT + 1)
  const relay = await h.relay()
  const told = once(relay, 'unknownFormat')
  expect(await told).toEqual([{ destination: 'default/track', format: ROW_FORMAT + 1, known: ROW_FORMAT }])
  await eventually('nothing but its key', async () => (await left()).length === 2)
  // Later intents of other keys are sent. Later intents of the row's key wait behind it.
  await h.enqueue(track(newer as string, 2), ...others.map((person) => track(person, 1)))
  await eventually('nothing but its key', async () => (await left()).length === 3)
  expect(h.fake.counts.applied).toBe(2 * others.length)
  const [known] = await h.db.rows<{ format: number }>('SELECT format FROM outbox.relays')
  expect(known?.format).toBe(ROW_FORMAT)
  // A newer relay would find the row unchanged. Here the row changes to a format that this relay knows.
  await setFormat(ids[0], WIRE_FORMAT)
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 2 * others.length + 3, duplicates: 0, outOfOrder: 0 })
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})

test('32: other people’s intents are sent even if more intents wait behind a row of an unknown format than the relay reads at a time', async () => {
  const [newer, ...others] = await peopleOfOneLane(h.db, 'default/track', 10)
  const [id] = await h.enqueue(track(newer as string, 0))
  await setFormat(id, ROW_FORMAT + 1)
  await h.enqueue(
    ...Array.from({ length: 250 }, (_, n) => track(newer as string, n + 1)),
    ...others.map((person) => track(person, 0)),
  )
  await h.relay({ batchSize: 100 })
  await h.fake.until(() => h.fake.counts.applied === others.length)
  // Even an intent that draws its number early and commits late is sent, because the watermark stays below the skipped row.
  const late = await h.db.begin()
  await h.outbox.enqueue(late, track(others[0] as string, 1))
  await h.enqueue(track(others[1] as string, 1))
  await h.fake.until(() => h.fake.counts.applied === others.length + 1)
  await late.query('COMMIT')
  late.release()
  await h.fake.until(() => h.fake.counts.applied === others.length + 2)
  await setFormat(id, WIRE_FORMAT)
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: others.length + 253, duplicates: 0, outOfOrder: 0 })
})

test('32: a message in an unknown format that was marked as sending is not parked', async () => {
  const [id] = await h.enqueue(email('u1', 0))
  await h.db.rows('UPDATE outbox.intents SET format = $1, sending_at = now()', [ROW_FORMAT + 1])
  const relay = await h.relay()
  await once(relay, 'unknownFormat')
  await h.enqueue(email('u2', 0))
  await h.fake.until(() => h.fake.counts.sends === 1)
  await eventually('only the first left', async () => (await left()).length === 1)
  expect(await left()).toEqual([{ id }])
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})
