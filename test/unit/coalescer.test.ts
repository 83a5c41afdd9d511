import { expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import type { WireItem } from '../../src/customerio/transports/transport.ts'
import { DestinationBreaker } from '../../src/relay/breaker/breaker.ts'
import { Coalescer } from '../../src/relay/destination/coalescer.ts'
import type { Destination } from '../../src/relay/destination/destinations.ts'
import { SupersededError } from '../../src/relay/breaker/superseded-error.ts'

/*
 * The breaker and the retry policy are real. The row of the breaker, the rate limit and the HTTP exchange are stubs. The
 * whole relay with a coalescer is tested in test/integration/coalescing.test.ts.
 */

const LIMITS = { count: 1_000, bytes: 1_000, itemBytes: 500 }
const ACCEPTED: Answer = { kind: 'accepted', status: 200, refused: [] }

function item(call: string, maxBytes = 100, more: Partial<WireItem> = {}): WireItem {
  return { call, bytes: maxBytes - 1, maxBytes, batchable: true, barrier: false, ...more }
}

/** @param waits Answers of the rate limit, in order: a wait in ms (0: a token), or an error. After them, always a token. */
function coalescerWith({
  waits = [],
  send = async () => ACCEPTED,
  failures = 5,
}: {
  waits?: (number | Error)[]
  send?: (items: readonly WireItem[]) => Promise<Answer>
  failures?: number
}) {
  const requests: unknown[][] = []
  const stop = new AbortController()
  const destination = {
    name: 'default/track',
    transport: {
      limits: LIMITS,
      send: async (items: readonly WireItem[]) => {
        requests.push(items.map(({ call }) => call))
        return send(items)
      },
    },
    acquireToken: async () => {
      const wait = waits.shift() ?? 0
      if (wait instanceof Error) throw wait
      return wait
    },
  } as unknown as Destination
  const breaker = new DestinationBreaker(
    'relay',
    {
      breaker: {
        failures,
        successes: 3,
        halfOpenAfterMs: 1_000,
        maxHalfOpenAfterMs: 1_000,
        rejections: 100,
        rejectionShare: 0.5,
      },
      retry: { maxRetries: 2, initialDelayMs: 1 },
    },
    {
      open: async () => true,
      reject: async () => true,
      acquireProbe: async () => true,
      close: async () => true,
      rateLimit: async () => {},
      recordFailures: async () => {},
      onError: (error) => {
        throw error
      },
    },
  )
  const coalescer = new Coalescer(destination, breaker, 1_000, stop.signal)
  const join = (...names: string[]) => Promise.all(names.map((name) => coalescer.join([item(name)])))
  return { coalescer, breaker, requests, stop, join }
}

const kinds = (joined: readonly { readonly kind: string }[]) => joined.map(({ kind }) => kind)

test('a batch that gets a token at once is sent alone; batches that wait for one are sent together', async () => {
  const { coalescer, requests, join } = coalescerWith({ waits: [0, 20] })
  expect(await coalescer.join([item('a')])).toEqual({ kind: 'send_alone' })
  expect(kinds(await join('b', 'c', 'd'))).toEqual(['accepted', 'accepted', 'accepted'])
  expect(requests).toEqual([['b', 'c', 'd']])
})

test('a request contains as many batches as fit, in the order in which they came', async () => {
  const { requests, join } = coalescerWith({ waits: [5] })
  const names = Array.from({ length: 12 }, (_, n) => `n${n}`)
  const joined = kinds(await join(...names))
  // Nine batches of 100 bytes and their commas fit into 1,000 bytes. The other three are sent with the next token.
  expect(requests).toEqual([names.slice(0, 9), names.slice(9)])
  expect(new Set(joined)).toEqual(new Set(['accepted']))
})

test('a batch may join if it leaves room for another of its size, and none of its items must be sent alone', () => {
  const { coalescer } = coalescerWith({})
  expect(coalescer.canJoin([item('a', 499)])).toBe(true)
  expect(coalescer.canJoin([item('a', 501)])).toBe(false)
  expect(coalescer.canJoin([item('a', 249), item('b', 249)])).toBe(true)
  expect(coalescer.canJoin([item('a', 250), item('b', 250)])).toBe(false)
  expect(coalescer.canJoin(Array.from({ length: 501 }, () => item('a', 0)))).toBe(false)
  expect(coalescer.canJoin([item('a'), item('b', 100, { barrier: true, batchable: false })])).toBe(false)
  expect(coalescer.canJoin([item('a', 100, { batchable: false })])).toBe(false)
})

test('each lane gets its own refused operations, by their indexes in its own batch', async () => {
  const refused = [1, 2].map((index) => ({ index, reason: `of ${index}` }))
  const { coalescer } = coalescerWith({
    waits: [5],
    send: async () => ({ kind: 'accepted', status: 200, refused }),
  })
  const joined = await Promise.all([
    coalescer.join([item('a'), item('b')]),
    coalescer.join([item('c'), item('d')]),
  ])
  expect(joined).toEqual([
    { kind: 'accepted', answer: { kind: 'accepted', status: 200, refused: [{ index: 1, reason: 'of 1' }] } },
    { kind: 'accepted', answer: { kind: 'accepted', status: 200, refused: [{ index: 0, reason: 'of 2' }] } },
  ])
})

test.each<Answer>([
  { kind: 'rejected', status: 400, message: 'one of you' },
  { kind: 'too_large', status: 413, message: 'all of you' },
  { kind: 'unavailable', status: 500, outcome: 'unknown', message: 'one of you, perhaps' },
  { kind: 'unavailable', status: undefined, outcome: 'unknown', message: 'timeout' },
])('$kind ($status): the shared request is not repeated, and each lane retries alone', async (answer) => {
  const { requests, join } = coalescerWith({ waits: [5], send: async () => answer })
  expect(kinds(await join('a', 'b'))).toEqual(['retry_alone', 'retry_alone'])
  expect(requests).toHaveLength(1)
})

test('a 500 to a shared request does not count against the destination, a timeout does', async () => {
  const unavailable = (status: number | undefined): Answer => {
    return { kind: 'unavailable', status, outcome: 'unknown', message: '' }
  }
  const answered = coalescerWith({ waits: [5], send: async () => unavailable(500), failures: 1 })
  await answered.join('a', 'b')
  expect(answered.breaker.state).toBe('closed')
  const silent = coalescerWith({ waits: [5], send: async () => unavailable(undefined), failures: 1 })
  await silent.join('a', 'b')
  expect(silent.breaker.state).toBe('open')
})

test.each(['one', 'several'])(
  'nothing is sent while a 429 limits the destination (number of batches that wait: %s)',
  async (many) => {
    const { breaker, requests, join } = coalescerWith({ waits: [5] })
    await breaker.run('send', async () => ({ kind: 'rate_limited', retryAfterMs: 60_000, message: '' }))
    expect(breaker.state).toBe('closed')
    const names = many === 'one' ? ['a'] : ['a', 'b']
    expect(kinds(await join(...names))).toEqual(names.map(() => 'retry_alone'))
    expect(requests).toEqual([])
  },
)

test('if the settings change while batches wait, each lane retries alone', async () => {
  const { join } = coalescerWith({
    waits: [5],
    send: () => Promise.reject(new SupersededError('default/track')),
  })
  expect(kinds(await join('a', 'b'))).toEqual(['retry_alone', 'retry_alone'])
})

test('a long wait, or a stop, hands all lanes back', async () => {
  const long = coalescerWith({ waits: [300] })
  expect(await long.join('a', 'b')).toEqual([
    { kind: 'handed_back', waitMs: 300 },
    { kind: 'handed_back', waitMs: 300 },
  ])
  const stopped = coalescerWith({ waits: [100, 100] })
  stopped.stop.abort()
  expect(kinds(await stopped.join('a', 'b'))).toEqual(['handed_back', 'handed_back'])
  expect(stopped.requests).toEqual([])
})

test('if the rate limit cannot be read, each lane gets the error, and later batches ask again', async () => {
  const { coalescer, join } = coalescerWith({ waits: [new Error('no database')] })
  await expect(join('a', 'b')).rejects.toThrow('no database')
  expect(await coalescer.join([item('c')])).toEqual({ kind: 'send_alone' })
})
