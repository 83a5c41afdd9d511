import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { type CliProcess, startCli } from '../support/cli.ts'
import { email, type Harness, startHarness, track } from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * A test fails without `stopping` in src/relay/send/send-part.ts or send-non-idempotent.ts: a second request goes out.
 */

let h: Harness
let gateway: Gateway
let relay: CliProcess
beforeEach(async () => {
  h = await startHarness()
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  relay.child.kill('SIGKILL')
  await gateway.close()
  await h.close()
})

test.each<[string, Intent]>([
  ['of a batch', track('u1', 1)],
  ['of a message', email('u1', 1)],
])(
  'after SIGTERM a failed request %s is not retried, and no intent is charged or lost',
  async (_, intent) => {
    relay = startCli(['relay', '--no-check-region'], {
      DATABASE_URL: h.db.url,
      CUSTOMERIO_SITE_ID: 'site',
      CUSTOMERIO_TRACK_API_KEY: 'a-key',
      CUSTOMERIO_TRACK_URL: gateway.url,
      CUSTOMERIO_APP_API_KEY: 'an-app-key',
      CUSTOMERIO_APP_URL: gateway.url,
    })
    await relay.printed(/"message":"started"/)
    const { promise: requested, resolve } = Promise.withResolvers<Intercepted>()
    gateway.intercept(resolve)
    const ids = await h.enqueue(intent)
    const { response } = await requested
    relay.child.kill('SIGTERM')
    await relay.printed(/"message":"stopping"/)
    response.writeHead(503).end() // a 503 had no effect, so the relay would retry the request twice
    expect((await relay.ended()).status).toBe(0)
    expect(gateway.passages).toHaveLength(1)
    expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 1, attempts: 0 })
    expect(await h.db.rows('SELECT 1 FROM outbox.intents WHERE sending_at IS NOT NULL')).toEqual([])
  },
)
