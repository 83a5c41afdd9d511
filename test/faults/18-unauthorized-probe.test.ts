import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'

/*
 * Guards two checks, each of which is enough by itself: the filter of the probe's policy (`isNoSuccess`), and the first
 * lines of `#recordProbe` (src/relay/breaker/breaker.ts). If only the filter is reduced to `unavailable`, the tests pass. If
 * those lines are removed, too, 401 and 403 close the breaker: a refused request has 20 intents instead of 1, and the
 * destination is not paused.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

test.each([401, 403] as const)(
  '18: %d as the answer to a half-open probe does not close the breaker',
  async (status) => {
    await h.relay()
    const recover = h.fake.misbehave({ kind: 'outage' })
    const ids = await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n % 20}`, n)))
    await eventually(
      'a failed probe',
      async () => (await transitions(h)).filter((t) => t === 'half_open>open').length >= 1,
    )
    // The service is back, but it refuses the key. Five refused probes are more than the three successes that close a breaker.
    h.fake.misbehave({ kind: 'unauthorized', status })
    recover()
    await eventually('refused probes', async () => (h.fake.requests.byStatus[status] ?? 0) >= 5)
    const requests = h.fake.requests.recent.filter((request) => request.status === status)
    for (const { operations } of requests) expect(operations).toBe(1) // only probes: no lane has sent a batch
    expect(await transitions(h)).not.toContain('half_open>closed')
    expect(await transitions(h)).toContain('half_open>paused')
    expect(await breakerState(h)).toMatchObject({ last_error: expect.stringContaining(String(status)) })
    expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 200, attempts: 0 })

    h.fake.behave()
    await h.drained()
    expect((await transitions(h)).at(-1)).toBe('half_open>closed')
    expect(h.fake.counts).toMatchObject({ applied: 200, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  },
)

test('18: a 401 after two successful probes does not close the breaker, and the count of successes starts again', async () => {
  await h.relay()
  const recover = h.fake.misbehave({ kind: 'outage' })
  const ids = await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n % 20}`, n)))
  await eventually('the breaker to open', async () => (await transitions(h)).includes('closed>open'))
  // Two probes pass and the third is refused, three times.
  let probes = 0
  h.fake.misbehave({ kind: 'unauthorized', match: () => ++probes % 3 === 0 && probes <= 9 })
  recover()
  await h.drained()
  const refused = (await transitions(h)).filter((t) => t === 'half_open>paused')
  expect(refused).toHaveLength(3)
  expect((await transitions(h)).filter((t) => t === 'half_open>closed')).toHaveLength(1)
  expect(h.fake.counts).toMatchObject({ applied: 200, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})
