import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings } from './support/account.ts'
import { type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards `classify`, and the timeout of the whole exchange.
 * A test fails after each of these changes:
 * - if the timeout of the whole exchange is ten minutes, and the timeouts of the head and of each pause are unchanged: the
 *   dripping answer never ends;
 * - if a 2xx that is not JSON is accepted: the events of the first request are lost.
 */

const JSON_TYPE = { 'content-type': 'application/json' }

interface Broken {
  readonly name: string
  readonly words: RegExp
  readonly breakIt: (intercepted: Intercepted) => void
  /** The status, if it counts as an answer of the service, which may be about the request's content. */
  readonly status?: number
}

const BROKEN: readonly Broken[] = [
  {
    name: 'HTML 502',
    words: /^502: text\/html, 24 bytes$/,
    breakIt: ({ response }) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>'),
    status: 502,
  },
  {
    name: 'JSON that is cut off, in full length',
    words: /answer is not JSON/,
    breakIt: ({ response }) => response.writeHead(207, JSON_TYPE).end('{"errors":[{"batch_index":0,"rea'),
  },
  {
    name: 'JSON that is cut off with its connection',
    words: /^UND_ERR_SOCKET: other side closed/,
    breakIt: ({ response }) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' }).write('{"errors":[')
      response.socket?.end()
    },
  },
  {
    name: '200 with garbage',
    words: /answer is not JSON/,
    breakIt: ({ response }) => response.writeHead(200).end('OK\0\u{1f4a5}'),
  },
  {
    name: '200 with an error that belongs to nothing',
    words: /success status with an error/,
    breakIt: ({ response }) => response.writeHead(200, JSON_TYPE).end('{"meta":{"error":"sorry"}}'),
  },
  {
    name: 'an answer that drips for ever',
    words: /TimeoutError/,
    breakIt: ({ response }) => {
      response.writeHead(200, JSON_TYPE).write('{')
      // No pause is too long, only the whole answer.
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(drip))
    },
  },
  { name: 'a black hole', words: /TimeoutError/, breakIt: () => {} },
  {
    name: 'a connection that is closed without a word',
    words: /other side closed/,
    breakIt: ({ request }) => request.socket.end(),
  },
  {
    name: 'a protocol that is not HTTP',
    words: /^HTTPParserError: the answer is not HTTP$/,
    breakIt: ({ request }) => request.socket.end('220 smtp.example.com ESMTP\r\n'),
  },
]

const operationsOf = (body: Buffer): unknown[] => JSON.parse(body.toString()).batch

// Each test waits for its lane's backoff, so they run side by side, each with its own database.
test.concurrent.each(BROKEN)(
  '19: $name: the request ends within the timeout and is classified, and no event is lost or applied twice',
  async ({ words, breakIt, status }) => {
    const h = await startHarness({ sequenceOf: stepOf })
    const gateway = await startGateway(h.fake)
    // Two requests get the broken answer: the first does not reach Customer.io, the second is applied.
    const broken: Intercepted[] = []
    gateway.intercept(async (intercepted) => {
      if (broken.push(intercepted) > 2) return intercepted.forward()
      if (broken.length === 2) await apply(h.fake.url, intercepted)
      breakIt(intercepted)
    })
    try {
      const ids = await h.enqueue(...[1, 2, 3].map((n) => track('u1', n)))
      await h.relay({ customerio: everyApi(gateway), requestTimeoutMs: 400 })
      await h.drained()
      // The relay closes the connection: without a timeout the dripping and silent requests would never end.
      await eventually('both to be given up', () =>
        broken.every(({ passage }) => passage.endedAt !== undefined),
      )
      expect(await accountFor(h, ids)).toEqual({ delivered: 3, dead: 0, pending: 0, attempts: 0 })
      expect(await findings(h, ids)).toEqual([])
      expect(h.fake.applied.map(({ body }) => stepOf(body as never))).toEqual([1, 2, 3])
      const [first = [], second = [], ...further] = gateway.passages.map(({ body }) => operationsOf(body))
      // The second request is the whole batch again, or, if the service itself failed at the batch, its first intent as a canary.
      expect(second).toEqual(status === undefined ? first : first.slice(0, 1))
      // Then the whole batch again, with the same ids and bodies: Customer.io drops what the second request has applied.
      expect(further.flat()).toEqual(first)
      expect(h.fake.duplicates.map(({ sameBody }) => sameBody)).toEqual(second.map(() => true))
      // A failure of the destination: counted, described by status, length or code, and cleared after the success.
      expect(await breakerState(h)).toMatchObject({
        state: 'closed',
        failure_count: 0,
        last_error: expect.stringMatching(words),
      })
    } finally {
      await gateway.close()
      await h.close()
    }
  },
)

/** Customer.io applies the request, and the relay gets the broken answer. */
async function apply(url: string, { passage }: Intercepted): Promise<void> {
  await fetch(url + passage.path, {
    method: 'POST',
    headers: { authorization: passage.authorization ?? '', 'content-type': 'application/json' },
    body: passage.body.toString(),
  })
}
