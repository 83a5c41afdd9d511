import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { holding, identify } from '../support/hold.ts'
import {
  email,
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

let h: Harness
let t: ReturnType<typeof holding>
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  t = holding(h)
})
afterEach(() => h.close())

/** Two people of one lane. */
const two = async () => {
  const [held = '', free = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  return { held, free }
}

describe('a dead letter that holds', () => {
  test('stops later intents of its key, also those of the same batch, and no other key of the lane', async () => {
    const { held, free } = await two()
    t.refuse((step) => step === 1)
    await h.enqueue(track(held, 0), track(held, 1), track(free, 10), track(held, 2), track(free, 11))
    await t.relay('hold')
    await t.held(1)
    await h.enqueue(track(held, 3), track(free, 12), track(held, 4))
    await h.fake.until(({ counts }) => counts.applied === 4)
    await t.held(3)
    expect(t.stepsOf(held)).toEqual([0])
    expect(t.stepsOf(free)).toEqual([10, 11, 12])
    expect(await t.letters()).toMatchObject([{ holds: true, ordering_key: held }])
    expect(await t.count('intents WHERE lane >= 0')).toBe(0)
  })

  test('is sent first after a redrive, then all later intents in order, while others of the key arrive', async () => {
    const { held, free } = await two()
    const heal = t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 80))
    await t.relay('hold')
    await t.held(79)
    heal()
    // A transaction that has drawn its number before the redrive, and commits after it.
    const late = await h.db.begin()
    await h.outbox.enqueue(late, track(held, 305))
    let live = 310
    let isOver = false
    const traffic = (async () => {
      while (!isOver && live < 360) await h.enqueue(track(held, ++live), track(free, live))
    })()
    const redriven = await t.act('redrive', { operation: 'track' })
    expect(redriven).toMatchObject({ processed: '1' })
    await h.fake.until(({ counts }) => counts.applied > 20)
    await late.query('COMMIT')
    late.release()
    await eventually('live traffic', () => live > 340)
    isOver = true
    await traffic
    await h.fake.until(({ counts }) => counts.applied === 81 + 2 * (live - 310), { timeoutMs: 40_000 })
    const seen = t.stepsOf(held)
    expect(seen.filter((step) => step !== 305)).toEqual([...numbers(0, 80), ...numbers(311, live + 1)])
    expect(seen).toContain(305)
    expect(t.stepsOf(free)).toEqual(numbers(311, live + 1))
    expect(await t.letters()).toEqual([])
    expect(await h.db.rows('SELECT FROM outbox.lanes WHERE release_requests > 0')).toEqual([])
  })

  test('releases its key if it is discarded', async () => {
    const { held } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 3))
    await t.relay('hold')
    await t.held(2)
    await t.act('discard', { person: held })
    await h.fake.until(({ counts }) => counts.applied === 2)
    expect(t.stepsOf(held)).toEqual([1, 2])
  })

  test('holds again if it is refused again', async () => {
    const { held } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 3))
    await t.relay('hold')
    await t.held(2)
    await t.act('redrive', { person: held })
    await t.dead(1)
    await t.held(2)
    expect(t.stepsOf(held)).toEqual([])
    expect(h.fake.counts.refused).toBe(2)
  })

  test('that was deleted by hand releases its key too', async () => {
    const { held } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 3))
    await t.relay('hold')
    await t.held(2)
    await h.db.rows('DELETE FROM outbox.dead_letters')
    await eventually('the released intents', () => t.stepsOf(held).length === 2, 20_000)
    expect(t.stepsOf(held)).toEqual([1, 2])
  })

  test('that is edited to another person holds neither person', async () => {
    const { held, free } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 2))
    await t.relay('hold')
    await t.held(1)
    const [letter] = await t.letters()
    await h.db.rows('SELECT outbox.edit_dead_letter($1, $2)', [
      letter?.id,
      { customerId: free, name: 'step', data: { n: 9 } },
    ])
    await h.fake.until(({ counts }) => counts.applied === 1)
    await h.enqueue(track(free, 10))
    await h.fake.until(({ counts }) => counts.applied === 2)
    expect(await t.letters()).toMatchObject([{ holds: false, ordering_key: free }])
    await t.act('redrive', { person: free })
    await h.fake.until(({ counts }) => counts.applied === 3)
  })

  test('of several of one key: the first one that is left holds, also what was redriven after it', async () => {
    const { held } = await two()
    let refused = [0]
    t.refuse((step) => step !== undefined && refused.includes(step))
    await h.enqueue(...steps(held, 0, 5))
    const relay = await t.relay('hold')
    await t.held(4)
    // The second letter: step 2 is refused once step 0 is discarded.
    refused = [0, 2]
    const [zero] = await t.letters()
    await t.act('discard', { ids: [zero?.id] })
    await h.fake.until(({ counts }) => counts.applied === 1)
    await t.held(2)
    const [two_] = await t.letters()
    await h.db.rows(
      `INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, name, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason, holds)
       SELECT gen_random_uuid(), destination, seq - 1, format, operation, name, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason, true FROM outbox.dead_letters`,
    )
    refused = []
    await t.act('redrive', { ids: [two_?.id] })
    await t.held(3)
    expect(t.stepsOf(held)).toEqual([1])
    const detail = await h.db.rows<{ detail: string }>(
      "SELECT detail FROM outbox.find($1) WHERE event = 'pending'",
      [held],
    )
    const [first] = await t.letters()
    for (const row of detail) expect(row.detail).toContain(`held behind dead letter ${first?.id}`)
    await t.act('discard', { ids: [first?.id] })
    await h.fake.until(({ counts }) => counts.applied === 4)
    expect(t.stepsOf(held)).toEqual([1, 2, 3, 4])
    await relay.stop()
  })

  test('does not hold bulk intents of its key, and a barrier of another key does not wait for it', async () => {
    const { held, free } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(track(held, 0), track(held, 1))
    await t.relay('hold')
    await t.held(1)
    await h.enqueue({ operation: 'suppress', customerId: free }, track(free, 2))
    await h.enqueueWith({ priority: 'bulk' }, track(held, 5))
    await h.fake.until(({ counts }) => counts.applied === 2)
    expect(t.stepsOf(held)).toEqual([5])
  })
})

describe('the setting', () => {
  test("'continue', the default: later intents are sent", async () => {
    const { held } = await two()
    t.refuse((step) => step === 0)
    await h.enqueue(...steps(held, 0, 3))
    await h.relay()
    await h.drained()
    expect(t.stepsOf(held)).toEqual([1, 2])
    expect(h.fake.requests.total).toBe(1)
    expect(await t.letters()).toMatchObject([{ holds: false }])
  })

  test('by operation: a refused identify holds what follows it in the same request, a refused event does not', async () => {
    const { held, free } = await two()
    t.refuse((step, { action }) => action === 'identify' || step === 10)
    await h.enqueue(identify(held), track(held, 1), track(free, 10), track(free, 11))
    await t.relay({ default: 'continue', identify: 'hold' })
    await t.held(1)
    await h.drained()
    expect(t.stepsOf(held)).toEqual([])
    expect(t.stepsOf(free)).toEqual([11])
    expect(await t.letters()).toMatchObject([{ holds: true }, { holds: false }])
  })

  test('by operation with the default hold: an exception does not hold', async () => {
    const { held, free } = await two()
    t.refuse((step, { action }) => action === 'identify' || step === 10)
    await h.enqueue(identify(held), track(held, 1), track(free, 10), track(free, 11))
    await t.relay({ default: 'hold', track: 'continue', identify: 'hold' })
    await t.held(1)
    await h.drained()
    expect(t.stepsOf(free)).toEqual([11])
  })

  test("a change to 'continue' while a relay runs releases nothing, and holds nothing more", async () => {
    const { held, free } = await two()
    t.refuse((step) => step === 0 || step === 10)
    await h.enqueue(track(held, 0), track(held, 1))
    const relay = await t.relay('hold')
    await t.held(1)
    await relay.updateWorkspaces({ default: { ...everyApi(h.fake), onDead: 'continue' } })
    await h.enqueue(track(free, 10), track(free, 11), track(held, 2))
    await t.held(2)
    await h.fake.until(({ counts }) => counts.applied === 1)
    expect(t.stepsOf(free)).toEqual([11])
    await t.act('discard', { person: held })
    await h.fake.until(({ counts }) => counts.applied === 3)
    expect(t.stepsOf(held)).toEqual([1, 2])
  })

  test('an expired intent does not hold', async () => {
    const { held } = await two()
    const soon = new Date(Date.now() + 300)
    await h.enqueueWith({ expiresAt: soon }, track(held, 0))
    await h.enqueue(track(held, 1))
    await eventually('the expiry', () => Date.now() > soon.getTime() + 100)
    await t.relay('hold')
    await h.drained()
    expect(t.stepsOf(held)).toEqual([1])
    expect(await t.letters()).toMatchObject([{ holds: false, reason: 'expired' }])
  })
})

test('messages: later ones of the person wait behind an ambiguous one, other people get theirs', async () => {
  h.fake.misbehave({ kind: 'reset', after: 'apply', times: 1 })
  await h.enqueue(email('u1', 1))
  await t.relay('hold')
  await t.dead(1)
  await h.enqueue(email('u1', 2), email('u2', 1))
  await t.held(1)
  await h.fake.until((fake) => fake.sends.length === 2)
  expect(await t.letters()).toMatchObject([{ reason: 'ambiguous', holds: true }])
  await t.act('redrive', { person: 'u1' })
  await h.fake.until((fake) => fake.sends.length === 4)
  // The message whose answer was lost, that of the other person, the redriven one, and the one behind it.
  const last = h.fake.sends.slice(-2).map(({ body }) => body.message_data)
  expect(last).toEqual([{ n: 1 }, { n: 2 }])
})

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)
const steps = (person: string, from: number, to: number) => numbers(from, to).map((n) => track(person, n))
