import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answer.ts'
import { classify } from '../../src/customerio/classify.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const respond = (status: number, body: string, contentType?: string, retryAfter?: string) =>
  classify({ status, contentType, body, retryAfter }, NOW)

const BODIES = {
  empty: '',
  blank: ' \n',
  json: '{}',
  v1: '{"meta":{"error":"bad"}}',
  v2: '{"errors":[{"reason":"invalid","field":"name","message":"too long"}]}',
  html: '<html><body>Bad Gateway</body></html>',
  text: 'Unauthorized',
  truncated: '{"errors":[{"rea',
  array: '[]',
  number: '42',
  null: 'null',
}
const JSON_BODIES = ['json', 'v1', 'v2']
const CONTENT_TYPES = [
  undefined,
  '',
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  'text/html',
  'TEXT/HTML; charset=utf-8',
  'application/xhtml+xml',
  'application/xml',
  'application/octet-stream',
]
const STATUSES = [
  200, 201, 204, 207, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408, 409, 410,
  413, 414, 415, 418, 422, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 521, 522,
  523, 524, 529, 530, 599,
]

/** An answer in short: its kind, and for what is unavailable what is known of it. */
const inShort = (answer: Answer) =>
  answer.kind === 'unavailable' ? `unavailable, ${answer.outcome}` : answer.kind

test('every status with every body has its kind: the owner of the fault', () => {
  const own = (yes: string, no = 'unavailable, unknown') =>
    Object.fromEntries(Object.keys(BODIES).map((name) => [name, JSON_BODIES.includes(name) ? yes : no]))
  const all = (kind: string) => own(kind, kind)
  const accepted = {
    ...own('accepted'),
    empty: 'accepted',
    blank: 'accepted',
    v1: 'unavailable, unknown',
    v2: 'rejected',
  }
  const ROWS: Record<number, Record<string, string>> = {
    401: all('credential'),
    403: all('credential'),
    408: all('unavailable, not_applied'),
    413: all('too_large'),
    429: all('rate_limited'),
    503: all('unavailable, not_applied'),
  }
  const expected = (status: number) =>
    ROWS[status] ??
    (status < 300 ? accepted : [400, 422].includes(status) ? own('rejected') : all('unavailable, unknown'))

  for (const status of STATUSES) {
    const row = Object.fromEntries(
      Object.entries(BODIES).map(([name, body]) => [name, inShort(respond(status, body))]),
    )
    expect({ [status]: row }).toEqual({ [status]: expected(status) })
  }
})

test('a content type counts for one thing: a 2xx that is empty and calls itself HTML or XML is not the API', () => {
  for (const contentType of CONTENT_TYPES) {
    for (const status of STATUSES) {
      for (const [name, body] of Object.entries(BODIES)) {
        const portal =
          /html|xml/i.test(contentType ?? '') && status < 300 && ['empty', 'blank'].includes(name)
        const expected = portal ? 'unavailable, unknown' : inShort(respond(status, body))
        const found = inShort(respond(status, body, contentType))
        expect({ contentType, status, name, found }).toEqual({ contentType, status, name, found: expected })
      }
    }
  }
})

test('whatever comes has a kind, and its words fit a text column', () => {
  const header = fc.option(fc.string({ unit: 'binary' }), { nil: undefined })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.record({
          status: fc.integer({ min: 100, max: 999 }),
          contentType: header,
          body: fc.oneof(fc.string({ unit: 'binary' }), fc.json()),
          retryAfter: header,
        }),
        fc.record({ error: fc.anything(), written: fc.boolean() }),
      ),
      (result) => {
        const answer = classify(result, NOW)
        expect(inShort(answer)).toMatch(
          /^(accepted|rejected|too_large|credential|rate_limited|unavailable, (unknown|not_applied))$/,
        )
        if ('message' in answer) expect(answer.message).not.toMatch(/\p{Cc}/u)
        if ('status' in result && result.status >= 300) expect(answer.kind).not.toBe('accepted')
      },
    ),
    { numRuns: 2_000 },
  )
})

test.each([
  [
    '<html><head><title>503 Service Unavailable</title></head>\n<body><h1>Sorry</h1></body></html>',
    '503 Service Unavailable Sorry',
  ],
  [
    '\n<!doctype html><style>h1 { color: red }</style><!-- proxy 7 --><h1>Bad\n Gateway</h1><script>x()</script>',
    'Bad Gateway',
  ],
  ['<html></html>', '<html></html>'],
  ['a < b, c > d', 'a < b, c > d'],
])('of markup the words are kept: %j', (body, message) => {
  expect(respond(503, body, 'text/html')).toMatchObject({ message })
  expect(respond(200, body, 'text/html')).toMatchObject({ message: `answer is not JSON: ${message}` })
})

test('a delivery id is kept', () => {
  expect(respond(200, '{"delivery_id":"RPILAgUB","queued_at":5}')).toEqual({
    kind: 'accepted',
    refused: [],
    deliveryId: 'RPILAgUB',
  })
  expect(respond(200, '{"delivery_id":7}')).toEqual({ kind: 'accepted', refused: [] })
})

test('a 207, and a 200 that carries errors, name what was refused', () => {
  const body = { errors: [{ batch_index: 2, reason: 'invalid', field: 'name', message: 'too long' }] }
  for (const status of [207, 200]) {
    expect(respond(status, JSON.stringify(body))).toEqual({
      kind: 'accepted',
      refused: [{ index: 2, reason: 'invalid', field: 'name', message: 'too long' }],
    })
  }
})

test('a 404 blames the content only where the path names it', () => {
  const named = new Set([400, 404, 422])
  const gone = (body: string) => ({ status: 404, contentType: undefined, body, retryAfter: undefined })
  expect(classify(gone(BODIES.v1), NOW).kind).toBe('unavailable')
  expect(classify(gone(BODIES.v1), NOW, named).kind).toBe('rejected')
  expect(classify(gone('{"message":"no Route matched"}'), NOW, named).kind).toBe('unavailable')
})

test('a 2xx whose errors name no operation is a refusal of the whole, never a delivery', () => {
  for (const errors of [[{ reason: 'odd' }], [null], [7], [{ batch_index: 'x' }], [{ batch_index: 0 }, {}]]) {
    expect(respond(207, JSON.stringify({ errors })).kind).toBe('rejected')
  }
  expect(respond(200, '{"error":"maintenance"}').kind).toBe('unavailable')
  expect(respond(200, '{"errors":"all of them"}').kind).toBe('unavailable')
})

test('a refusal says why: v1 error, v1 errors, v2 errors with their field', () => {
  expect(respond(400, BODIES.v1)).toMatchObject({ kind: 'rejected', status: 400, message: 'bad' })
  expect(respond(400, '{"meta":{"errors":["a","b"]}}')).toMatchObject({ message: 'a; b' })
  expect(respond(400, '{"meta":{"errors":["a",{"toString":7}]}}')).toMatchObject({
    message: 'a; {"toString":7}',
  })
  expect(respond(400, BODIES.v2)).toMatchObject({ field: 'name', message: 'invalid: name: too long' })
})

test.each([
  ['2', 2_000],
  ['0.5', 500],
  ['-3', 0],
  ['999999', 3_600_000],
  ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is a wait of %s ms', (header, ms) => {
  expect(respond(429, '', undefined, header)).toMatchObject({ kind: 'rate_limited', retryAfterMs: ms })
})

test('a Retry-After date counts from the date of the answer, where it has one: this host may be an hour off', () => {
  const answer = {
    status: 429,
    contentType: undefined,
    body: '',
    retryAfter: new Date(NOW + 3_000).toUTCString(),
  }
  for (const off of [-3_600_000, 3_600_000]) {
    const date = new Date(NOW).toUTCString()
    expect(classify({ ...answer, date }, NOW + off)).toMatchObject({ retryAfterMs: 3_000 })
  }
  expect(classify({ ...answer, date: 'some day' }, NOW)).toMatchObject({ retryAfterMs: 3_000 })
})

describe('an error instead of a response is the destination’s', () => {
  const caused = (code: string, message: string) =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) })
  const FAILURES: [string, unknown, string][] = [
    ['reset', caused('ECONNRESET', 'read ECONNRESET'), 'read ECONNRESET'],
    ['refused', caused('ECONNREFUSED', ''), 'ECONNREFUSED'],
    ['no such name', caused('ENOTFOUND', 'getaddrinfo ENOTFOUND x'), 'getaddrinfo ENOTFOUND x'],
    ['certificate', caused('CERT_HAS_EXPIRED', 'certificate has expired'), 'CERT_HAS_EXPIRED: certificate'],
    ['socket closed', caused('UND_ERR_SOCKET', 'other side closed'), 'UND_ERR_SOCKET: other side closed'],
    ['timeout', new DOMException('The operation was aborted due to timeout', 'TimeoutError'), 'TimeoutError'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['text', 'text', 'text'],
    ['object', {}, '{}'],
  ]
  test.each(FAILURES)('%s', (_name, error, said) => {
    const message = expect.stringContaining(said)
    const failed = { kind: 'unavailable', status: undefined, message }
    expect(classify({ error, written: true }, NOW)).toEqual({ ...failed, outcome: 'unknown' })
    expect(classify({ error, written: false }, NOW)).toEqual({ ...failed, outcome: 'not_applied' })
  })
})

test('what is kept of an answer is short, and fit for a text column and a log line', () => {
  const answer = respond(500, `a\u0000b\n\u001b[31m${'x'.repeat(5_000)}`) as { message: string }
  expect(answer.message.length).toBeLessThanOrEqual(500)
  expect(answer.message).not.toMatch(/\p{Cc}/u)
  const item = respond(207, '{"errors":[{"batch_index":0,"reason":"a\\u0000b","message":"c\\u0007"}]}')
  expect(JSON.stringify(item)).not.toContain('\\u0000')
})
