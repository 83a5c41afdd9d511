import { afterEach, beforeEach, expect, test } from 'vitest'
import { email, type Harness, startHarness } from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'

/*
 * Guards the outcome of a request that failed on its way.
 * A test fails after each of these changes:
 * - if every failure without an answer is `not_applied`: an accepted message is sent again, and none is parked;
 * - if `onAmbiguous` is ignored: a message with `resend` is parked.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const relay = () => h.relay({ requestTimeoutMs: 300 })

// From outside, a timeout does not show whether Customer.io accepted the message.
const ENDS = [
  ['after it was accepted', 'apply'],
  ['before it was accepted', 'before'],
] as const

test.each(ENDS)(
  '21: a message times out %s: by default it is requested once and parked as ambiguous',
  async (_, after) => {
    h.fake.misbehave({ kind: 'hang', after, times: 1 })
    const ids = await h.enqueue(email('u1', 1), email('u1', 2), email('u2', 1))
    await relay()
    await h.drained()
    expect(h.fake.requests.total).toBe(3)
    expect(h.fake.sends).toHaveLength(after === 'apply' ? 3 : 2)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 2, dead: 1, pending: 0 })
    const dead = await h.db.rows(
      'SELECT reason, requested_at IS NOT NULL AS requested, message FROM outbox.dead_letters',
    )
    expect(dead).toEqual([
      {
        reason: 'ambiguous',
        requested: true,
        message: expect.stringMatching(/^Customer.io may have sent it, .*TimeoutError/),
      },
    ])
  },
)

test.each(ENDS)(
  '21: a message times out %s: with onAmbiguous resend it is sent again, in order',
  async (_, after) => {
    h.fake.misbehave({ kind: 'hang', after, times: 1 })
    const ids = await h.enqueueWith({ onAmbiguous: 'resend' }, email('u1', 1), email('u1', 2))
    await relay()
    await h.drained()
    const sent = h.fake.sends.map(({ body }) => (body.message_data as { n: number }).n)
    expect(sent).toEqual(after === 'apply' ? [1, 1, 2] : [1, 2])
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 2, dead: 0, pending: 0 })
  },
)
