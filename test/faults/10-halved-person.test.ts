import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'
import { findings } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

/*
 * Guards the order of one person whose intents are halved.
 * A test fails after each of these changes:
 * - if a canary may be a suspect of the failed part's own key (`pick` of src/relay/send/canary.ts without its filter),
 *   intent 3 arrives before intents 1 and 2;
 * - if `chargeFailure` (src/relay/send/charge-failure.ts) leaves later intents of the charged key among the suspects,
 *   intent 2 arrives before intent 1 in nearly every run.
 */

/** Longer than `LATELY_MS`, the time in which a request counts as passed lately. */
const SLOW_MS = 2_100

let h: Harness
let gateway: Gateway
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  await gateway.close()
  await h.close()
})

const stepsOf = (body: Buffer) => [...body.toString().matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n))

test('10: if the service fails slowly at the first half of a person’s intents, the second half waits until the first is sent', async () => {
  const [victim = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  const requests: string[] = []
  let isHealed = false
  gateway.intercept(async ({ passage, response, forward }) => {
    const steps = stepsOf(passage.body)
    requests.push(steps.join(' '))
    if (isHealed || !steps.includes(1)) return forward()
    isHealed = steps.length === 1 && requests.includes('1 2')
    if (steps.join() === '1,2') await delay(SLOW_MS)
    response.writeHead(500, { 'content-type': 'application/json' }).end('{}')
  })
  const ids = await h.enqueue(
    ...[1, 2, 3, 4].map((n) => track(victim, n)),
    ...[5, 6].map((n) => track(neighbour, n)),
  )
  await h.relay({
    requestTimeoutMs: 10_000,
    // The canaries are picked at random. If intent 1 is picked again and again, an open breaker would send it alone for ever.
    breaker: { failures: 1_000 },
    customerio: everyApi(gateway),
    intentRetry: { attempts: 5, initialDelayMs: 100, maxDelayMs: 200 },
  })
  await h.drained(10_000)
  expect(requests).toContain('1 2')
  expect(h.fake.counts).toMatchObject({ applied: 6, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})

test('10: if a charged intent is due again while other people’s intents are in flight, later intents of its key wait for it', async () => {
  const [victim = '', one = '', other = '', ...neighbours] = await peopleOfOneLane(h.db, 'default/track', 13)
  let isHealed = false
  let late: string[] = []
  gateway.intercept(async ({ passage, response, forward }) => {
    const steps = stepsOf(passage.body)
    if (steps.includes(1) && !isHealed) {
      if (steps.length === 1) {
        isHealed = true
        await delay(150) // long enough that the relay reads the lane again after this request
        late = await h.enqueue(track(one, 5), track(other, 6)) // the relay may send either of them alone, as a canary
      }
      response.writeHead(500, { 'content-type': 'application/json' }).end('{}')
      return
    }
    if (steps.includes(5) || steps.includes(6)) await delay(500) // longer than intent 1 waits for its next attempt
    await forward()
  })
  const ids = await h.enqueue(
    ...[1, 2, 3, 4].map((n) => track(victim, n)),
    ...neighbours.map((person) => track(person, 1_000)),
  )
  await h.relay({
    retry: { maxRetries: 0 },
    customerio: everyApi(gateway),
    intentRetry: { attempts: 5, initialDelayMs: 200, maxDelayMs: 200 },
  })
  await h.fake.until(({ counts }) => counts.applied === 16)
  expect(h.fake.counts).toMatchObject({ applied: 16, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, [...ids, ...late])).toEqual([])
})
