/**
 * The test fails if lane jobs are not exclusive (pg-boss' policy `standard` and no singleton key): requests of one lane
 * overlap a hundred times.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { lanesOf, watchLanes } from './support/lane-watch.ts'
import type { RelayChild } from './support/processes/relay-child.ts'
import { type Stage, startStage } from './support/stage.ts'

const WRITERS = 5
const PEOPLE = 40
const STEPS = 100
const INTENTS = 100_000

let s: Stage
beforeEach(async () => {
  s = await startStage({ keepRequests: 100_000 })
})
afterEach(() => s.close())

test('7: four relays deliver 100,000 intents once each, in order per person, with one relay at a time per lane', async () => {
  const peopleOf = (writer: number) => Array.from({ length: PEOPLE }, (_, n) => `w${writer}p${n}`)
  const allPeople = Array.from({ length: WRITERS }, (_, writer) => peopleOf(writer)).flat()
  const watch = watchLanes(s.fake, await lanesOf(s.db, allPeople))
  s.fake.latencyMs = 20 // long enough for two requests of one lane to overlap
  const settings = { batchSize: 200, workers: 4, requestTimeoutMs: 30_000 } // a request may take long on a busy machine
  const relays = await Promise.all([1, 2, 3, 4].map(() => s.child(settings)))
  const seen = watchHolders(relays)
  // The writers commit while the relays send.
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, n) => {
      const writer = s.writer(`w${n}`)
      const people = peopleOf(n)
      for (let sent = 0; sent < INTENTS / WRITERS; sent += STEPS) {
        await writer.transact({
          steps: Array.from({ length: STEPS }, (_, step) => ({ person: people[step % PEOPLE] ?? '' })),
        })
      }
    }),
  )
  await s.drained(60_000)
  expect(await seen()).toBe(4)
  expect(watch.overlaps).toEqual([])
  expect(watch.lanes.size).toBe(16)
  const { findings, ...counts } = await s.verdict()
  expect(findings).toEqual([])
  const none = { deadLettered: 0, pending: 0, lostCommits: 0, deliveredOfLost: 0, resent: 0 }
  expect(counts).toEqual({ committed: INTENTS, delivered: INTENTS, ...none })
  expect(s.fake.counts).toMatchObject({ applied: INTENTS, outOfOrder: 0, refused: 0 })
}, 120_000)

/** Watches which relays hold lanes. The returned function ends the watch and returns the number of relays that held any. */
function watchHolders(relays: readonly RelayChild[]): () => Promise<number> {
  const holders = new Set<string>()
  let watching = true
  const done = eventually(
    'the end of the test',
    async () => {
      const rows = await s.db.rows<{ relay_id: string }>(
        'SELECT relay_id FROM outbox.lanes WHERE relay_id IS NOT NULL',
      )
      for (const { relay_id } of rows) holders.add(relay_id)
      return !watching
    },
    120_000,
  )
  return async () => {
    watching = false
    await done
    return relays.filter(({ relayId }) => holders.has(relayId)).length
  }
}
