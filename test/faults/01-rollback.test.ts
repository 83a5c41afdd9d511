/**
 * The test fails if `enqueue` uses its own connection instead of the caller's transaction: the oracle finds 692 intents
 * `sent though rolled back`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Chance } from './support/shop/chance.ts'
import { writeOn } from './support/shop/random-writing.ts'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('1: an intent of a transaction that rolls back, entirely or to a savepoint, is never sent', async () => {
  const relay = await s.relay()
  const writer = s.writer('w')
  await writer.transact({ steps: [{ person: 'ada' }, { person: 'bob' }], end: 'rollback' })
  await writer.transact({ steps: [{ person: 'ada', undone: true }, { person: 'ada' }] })
  await writer.transact({
    steps: [{ person: 'bob' }, { person: 'bob', undone: true }, { person: 'bob' }],
    end: 'rollback',
  })
  await writer.transact({ steps: [{ person: 'bob' }, { person: 'ada', undone: true }, { person: 'bob' }] })
  // Many concurrent transactions, some open for a while: an uncommitted intent must not be sent.
  const chance = new Chance(1)
  await Promise.all(
    ['x', 'y', 'z'].map(async (name) => {
      let left = 80
      const people = [1, 2, 3].map((n) => `${name}${n}`)
      const habits = { people, rolledBack: 0.4, undone: 0.4, holdMs: 20 }
      await writeOn(s.writer(name), chance.fork(), habits, () => left-- > 0)
    }),
  )
  await s.drained()
  await relay.stop()
  const { findings, ...counts } = await s.verdict()
  expect(findings).toEqual([])
  expect(counts).toMatchObject({ delivered: s.ledger.acknowledged.size, deadLettered: 0, pending: 0 })
  expect(s.ledger.rolledBack.size).toBeGreaterThan(200)
  expect(s.ledger.acknowledged.size).toBeGreaterThan(200)
  const refs = s.fake.applied.map(({ body }) => String(body.attributes?.ref))
  expect(new Set(refs.filter((ref) => ref.startsWith('w-')))).toEqual(new Set(['w-4', 'w-8', 'w-10'])) // the committed steps
})
