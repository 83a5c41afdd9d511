import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/gateway.ts'

let h: Harness
let gateway: Gateway
const timers: NodeJS.Timeout[] = []
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer)
  await gateway.close()
  await h.close()
})

const JSON_TYPE = { 'content-type': 'application/json' }
type Break = (intercepted: Intercepted) => void

const BROKEN: readonly (readonly [string, RegExp, Break])[] = [
  [
    'HTML 502',
    /^502: .*Bad Gateway/,
    ({ response }) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>'),
  ],
  [
    'JSON that is cut off, in full length',
    /answer is not JSON/,
    ({ response }) => response.writeHead(207, JSON_TYPE).end('{"errors":[{"batch_index":0,"rea'),
  ],
  [
    'JSON that is cut off with its connection',
    /other side closed|terminated|aborted/,
    ({ response }) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' }).write('{"errors":[')
      response.socket?.end()
    },
  ],
  ['200 with garbage', /answer is not JSON/, ({ response }) => response.writeHead(200).end('OK\0\u{1f4a5}')],
  [
    '200 with an error that belongs to nothing',
    /speaks of an error/,
    ({ response }) => response.writeHead(200, JSON_TYPE).end('{"meta":{"error":"sorry"}}'),
  ],
  [
    'an answer that drips for ever',
    /TimeoutError/,
    ({ response }) => {
      response.writeHead(200, JSON_TYPE).write('{')
      // Never a pause that would be long for one: only the whole takes too long.
      timers.push(setInterval(() => response.destroyed || response.write(' '), 50))
    },
  ],
  ['a black hole', /TimeoutError/, () => {}],
  ['a connection that is closed without a word', /other side closed/, ({ request }) => request.socket.end()],
  [
    'a protocol that is not HTTP',
    /HTTP|Parse/,
    ({ request }) => request.socket.end('220 smtp.example.com ESMTP\r\n'),
  ],
]

test.each(BROKEN)(
  '19: %s: within the timeout, classified, nothing lost, nothing applied twice',
  async (_, words, breakIt) => {
    // Twice: once before Customer.io had it, once after it was applied.
    let times = 0
    const lost: Intercepted[] = []
    gateway.intercept((intercepted) => {
      if (++times > 2) return 'pass on'
      lost.push(intercepted)
      if (times === 1) return breakIt(intercepted)
      return applyThen(intercepted, breakIt)
    })
    const ids = await h.enqueue(...[1, 2, 3].map((n) => track('u1', n)))
    await h.relay({
      customerio: everyApi(gateway),
      requestTimeoutMs: 400,
      retry: { attempts: 2, initialDelayMs: 5 },
    })
    await h.drained()
    await eventually('both to be given up', () => lost.every(({ passage }) => passage.endedAt !== undefined))
    expect(await accountFor(h, ids)).toEqual({ delivered: 3, dead: 0, pending: 0, attempts: 0 })
    expect(h.fake.applied.map(({ body }) => stepOf(body as never))).toEqual([1, 2, 3])
    // Sent a third time with the ids and the bodies of the second, which had been applied.
    expect(h.fake.duplicates.map(({ sameBody }) => sameBody)).toEqual([true, true, true])
    expect(gateway.passages.map(({ body }) => body.toString())).toEqual(
      Array(3).fill(lost[0]?.passage.body.toString()),
    )
    // The destination's fault: counted, in its own words, and forgotten after the success.
    expect(await breakerState(h)).toMatchObject({
      state: 'closed',
      failure_count: 0,
      last_error: expect.stringMatching(words),
    })
  },
)

/** Customer.io takes it; the answer is lost to what comes instead. */
async function applyThen(intercepted: Intercepted, breakIt: Break): Promise<void> {
  const { passage } = intercepted
  await fetch(h.fake.url + passage.path, {
    method: 'POST',
    headers: { authorization: passage.authorization ?? '', 'content-type': 'application/json' },
    body: passage.body.toString(),
  })
  breakIt(intercepted)
}
