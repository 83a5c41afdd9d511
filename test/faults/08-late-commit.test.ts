import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { peopleOfOneLane } from '../support/relay-harness.ts'
import { Chance } from './support/chance.ts'
import { writeOn } from './support/random-writing.ts'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('8: transaction A takes its sequence number, B commits and is delivered, then A commits: A is delivered', async () => {
  await s.relay()
  const b = s.writer('b')
  await s.writer('a').transact({
    steps: [{ person: 'late' }],
    hold: async () => {
      for (let n = 0; n < 10; n++) await b.transact({ steps: [{ person: 'early' }, { person: `other${n}` }] })
      await s.fake.until(({ counts }) => counts.applied === 20)
    },
  })
  await s.fake.until(({ counts }) => counts.applied === 21)
  await s.drained()
  expect(await s.verdict()).toMatchObject({ delivered: 21, resent: 0, findings: [] })
})

test('8: A commits into a lane that is being drained: it goes out before what its person did next', async () => {
  s.fake.latencyMs = 5
  const [late = '', neighbour = ''] = await peopleOfOneLane(s.db, 'default/track', 2)
  const [a, b] = [s.writer('a'), s.writer('b')]
  await a.transact({
    steps: [{ person: late }],
    hold: async () => {
      await b.transact({ steps: Array.from({ length: 600 }, () => ({ person: neighbour })) })
      await s.relay({ batchSize: 2 })
      await eventually('the drain to be under way', () => s.fake.counts.applied > 20)
    },
  })
  await a.transact({ steps: [{ person: late }] })
  expect(s.fake.counts.applied).toBeLessThan(600)
  await s.drained()
  expect(await s.verdict()).toMatchObject({ delivered: 602, resent: 0, findings: [] })
})

test('8: many writers whose transactions overlap, in lanes that are never empty: order per person is commit order', async () => {
  s.fake.latencyMs = 10
  const people = await peopleOfOneLane(s.db, 'default/track', 40)
  await s.relay({ batchSize: 10 })
  const chance = new Chance(8)
  const queued = () => s.ledger.acknowledged.size - s.fake.counts.applied
  // All in one lane, each writer with people of its own; every transaction draws its numbers first and commits late.
  await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      let left = 40
      const habits = { people: people.slice(4 * n, 4 * n + 4), held: 0.5, holdMs: 40, rolledBack: 0.1 }
      await writeOn(s.writer(`w${n}`), chance.fork(), habits, () => left-- > 0)
    }),
  )
  expect(queued()).toBeGreaterThan(0) // the lane was never empty: the bound of its reader was in use
  await s.drained()
  const { findings, ...counts } = await s.verdict()
  expect(findings).toEqual([])
  expect(counts).toMatchObject({ delivered: s.ledger.acknowledged.size, resent: 0 })
  expect(counts.delivered).toBeGreaterThan(1_000)
})
