import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import { classify } from '../../src/customerio/answers/classify.ts'

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
const OWN_BODIES = ['v1', 'v2']
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

/** An answer in short: its kind, and the outcome of an unavailable one. */
const inShort = (answer: Answer) =>
  answer.kind === 'unavailable' ? `unavailable, ${answer.outcome}` : answer.kind

test('every status with every body has a kind, by the cause of the failure', () => {
  const among = (names: string[], yes: string, no = 'unavailable, unknown') =>
    Object.fromEntries(Object.keys(BODIES).map((name) => [name, names.includes(name) ? yes : no]))
  const all = (kind: string) => among([], kind, kind)
  const accepted = {
    ...among(JSON_BODIES, 'accepted'),
    empty: 'accepted',
    blank: 'accepted',
    v1: 'unavailable, unknown',
    v2: 'rejected',
  }
  const ROWS: Record<number, Record<string, string>> = {
    401: all('credential'),
    403: all('credential'),
    408: all('unavailable, not_applied'),
    413: among(OWN_BODIES, 'too_large', 'unavailable, not_applied'),
    429: all('rate_limited'),
    503: all('unavailable, not_applied'),
  }
  const expected = (status: number) =>
    ROWS[status] ??
    (status < 300
      ? accepted
      : [400, 422].includes(status)
        ? among(OWN_BODIES, 'rejected')
        : all('unavailable, unknown'))

  for (const status of STATUSES) {
    const row = Object.fromEntries(
      Object.entries(BODIES).map(([name, body]) => [name, inShort(respond(status, body))]),
    )
    expect({ [status]: row }).toEqual({ [status]: expected(status) })
  }
})

test('the content type decides in one case: an empty 2xx of type HTML or XML is not from the API', () => {
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

test('any answer has a kind, and its message fits a text column', () => {
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
  ['text/html; charset=utf-8', '<html><h1>Sorry, ada</h1></html>', 'text/html, 32 bytes'],
  ['application/json', '{"message":"ada"}', 'application/json, 17 bytes'],
  [undefined, 'x', 'no content type, 1 byte'],
  ['text/plain', 'é'.repeat(766), 'text/plain, 1,532 bytes'],
  ['ada/lovelace', '', 'another content type, 0 bytes'],
])('an answer in %s is described by media type and length', (contentType, body, message) => {
  for (const status of [401, 413, 429, 503])
    expect(respond(status, body, contentType)).toMatchObject({ message })
})

test('a delivery id must have the documented form', () => {
  for (const id of ['her secret', '<b>', '', 'x'.repeat(129)])
    expect(respond(200, JSON.stringify({ delivery_id: id }))).toEqual({
      kind: 'accepted',
      status: 200,
      refused: [],
    })
})

test('a delivery id is kept', () => {
  expect(respond(200, '{"delivery_id":"RPILAgUB","queued_at":5}')).toEqual({
    kind: 'accepted',
    status: 200,
    refused: [],
    deliveryId: 'RPILAgUB',
  })
  expect(respond(200, '{"delivery_id":7}')).toEqual({ kind: 'accepted', status: 200, refused: [] })
})

const respondToBatch = (items: number, errors: unknown, status = 207) =>
  classify({ status, contentType: undefined, body: JSON.stringify({ errors }), retryAfter: undefined }, NOW, {
    items,
  })

test('a 207, and a 200 with errors, name the refused operations', () => {
  const errors = [{ batch_index: 2, reason: 'invalid', field: 'name', message: 'too long' }]
  for (const status of [207, 200]) {
    expect(respondToBatch(3, errors, status)).toEqual({
      kind: 'accepted',
      status,
      refused: [{ index: 2, reason: 'invalid', field: 'name', message: 'too long' }],
    })
  }
})

test('a field name that the app has chosen is only in the message', () => {
  const errors = [{ batch_index: 0, reason: 'invalid', field: 'attributes.plan', message: 'too long' }]
  expect(respondToBatch(1, errors)).toMatchObject({
    refused: [{ field: 'attributes', message: 'attributes.plan: too long' }],
  })
  expect(respond(400, '{"errors":[{"reason":"invalid","field":"plan","message":"too long"}]}')).toEqual({
    kind: 'rejected',
    status: 400,
    field: undefined,
    message: 'invalid: plan: too long',
  })
})

test('a 404 blames the content only if the path depends on it', () => {
  const named = new Set([400, 404, 422])
  const gone = (body: string) => ({ status: 404, contentType: undefined, body, retryAfter: undefined })
  expect(classify(gone(BODIES.v1), NOW).kind).toBe('unavailable')
  expect(classify(gone(BODIES.v1), NOW, { contentStatuses: named }).kind).toBe('rejected')
  expect(classify(gone(`{"message":"no Route matched"}`), NOW, { contentStatuses: named }).kind).toBe(
    'unavailable',
  )
})

test.each([
  ['no index', [{ reason: 'odd' }]],
  ['null', [null]],
  ['a number', [7]],
  ['an index that is text', [{ batch_index: 'x', reason: 'odd' }]],
  ['an index with a fraction', [{ batch_index: 0.5, reason: 'odd' }]],
  ['a negative index', [{ batch_index: -1, reason: 'odd' }]],
  ['an index after the last', [{ batch_index: 9, reason: 'odd', message: 'odd' }]],
  ['one of two errors', [{ batch_index: 0, reason: 'odd' }, {}]],
])(
  'a 2xx whose errors name no item (%s) is never a delivery: a batch is halved, a single intent is retried',
  (_, errors) => {
    for (const status of [200, 207]) {
      expect(respondToBatch(9, errors, status).kind).toBe('rejected')
      expect(respondToBatch(1, errors, status)).toMatchObject({
        kind: 'unavailable',
        outcome: 'unknown',
        status,
      })
    }
  },
)

test("a 2xx to one intent with a refusal in Customer.io's format and no index rejects it", () => {
  const errors = [{ reason: 'invalid', field: 'name', message: 'too long' }]
  expect(respondToBatch(1, errors)).toMatchObject({ kind: 'rejected', field: 'name' })
})

test('a 2xx with an error in its body counts as `unavailable`', () => {
  expect(respond(200, '{"error":"maintenance"}').kind).toBe('unavailable')
  expect(respond(200, '{"errors":"all of them"}').kind).toBe('unavailable')
})

test.each([
  '{"message":"Bad Request"}',
  '{"error":"bad request"}',
  '{"meta":{"error":{"code":7}}}',
  '{"meta":{"errors":[]}}',
  '{"meta":{"errors":["a",{"toString":7}]}}',
  '{"errors":[]}',
  '{"errors":["bad"]}',
  '{"errors":[{"message":"bad"}]}',
  '{"success":false,"errors":[{"code":7003,"message":"no route"}]}',
  '{"errors":[{"detail":"bad","status":"400"}]}',
])("a 400 that is not in Customer.io's format comes from a gateway: %s", (body) => {
  expect(respond(400, body)).toMatchObject({ kind: 'unavailable', status: 400, outcome: 'unknown' })
})

test('a refusal has its reason: v1 error, v1 errors, v2 errors with their field', () => {
  expect(respond(400, BODIES.v1)).toMatchObject({ kind: 'rejected', status: 400, message: 'bad' })
  expect(respond(400, '{"meta":{"errors":["a","b"]}}')).toMatchObject({ message: 'a; b' })
  expect(
    respond(422, '{"errors":[{"detail":"no recipients","source":{"pointer":"/data"},"status":"422"}]}'),
  ).toMatchObject({ kind: 'rejected', message: 'no recipients' })
  expect(respond(400, BODIES.v2)).toMatchObject({ field: 'name', message: 'invalid: name: too long' })
})

test.each([
  ['2', 2_000],
  ['0.5', 1_000],
  ['0', 1_000],
  ['-3', 1_000],
  ['Wed, 31 Dec 2025 23:59:00 GMT', 1_000],
  ['', undefined],
  [' ', undefined],
  ['999999', 3_600_000],
  ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is a wait of %s ms', (header, ms) => {
  expect(respond(429, '', undefined, header)).toMatchObject({ kind: 'rate_limited', retryAfterMs: ms })
})

test('a Retry-After date counts from the date of the answer if it has one: the clock of this host may be an hour off', () => {
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

describe('an error instead of a response is a failure of the destination', () => {
  const caused = (code: string, message: string) =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) })
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED', address: '127.0.0.1', port: 8099 })
  const FAILURES: [string, unknown, string][] = [
    ['reset', caused('ECONNRESET', 'read ECONNRESET'), 'ECONNRESET: connection reset'],
    ['refused', caused('ECONNREFUSED', ''), 'ECONNREFUSED: connection refused'],
    ['refused by an address', refused, 'ECONNREFUSED 127.0.0.1:8099: connection refused'],
    [
      'no such name',
      caused('ENOTFOUND', 'getaddrinfo ENOTFOUND ada.example'),
      'ENOTFOUND: the host name does not resolve',
    ],
    ['certificate', caused('CERT_HAS_EXPIRED', 'ada'), 'CERT_HAS_EXPIRED: the certificate has expired'],
    ['socket closed', caused('UND_ERR_SOCKET', 'ada'), 'UND_ERR_SOCKET: other side closed the connection'],
    ['another code', caused('HPE_CR_EXPECTED', 'ada'), 'HPE_CR_EXPECTED: Error of the HTTP client'],
    ['a code that is none', caused('her secret', 'ada'), 'Error'],
    [
      'timeout',
      new DOMException('ada', 'TimeoutError'),
      'TimeoutError: no complete answer within the request timeout',
    ],
    ['a header', new TypeError('Headers.append: "Bearer ada" is an invalid header value.'), 'TypeError'],
    ['undefined', undefined, 'a thrown value that is no Error'],
    ['text', 'ada', 'a thrown value that is no Error'],
  ]
  test.each(FAILURES)('%s: nothing of the error’s own text is kept', (_name, error, message) => {
    const failed = { kind: 'unavailable', status: undefined, message }
    expect(classify({ error, written: true }, NOW)).toEqual({ ...failed, outcome: 'unknown' })
    expect(classify({ error, written: false }, NOW)).toEqual({ ...failed, outcome: 'not_applied' })
  })
})

test('the texts that are kept of a refusal are short, and fit for a text column', () => {
  const long = `a\u0000b\n\u001b[31m${'x'.repeat(5_000)}`
  const answer = respond(400, JSON.stringify({ meta: { error: long } })) as { message: string }
  expect(answer.message.length).toBeLessThanOrEqual(500)
  expect(answer.message).not.toMatch(/\p{Cc}/u)
  const item = respond(207, '{"errors":[{"batch_index":0,"reason":"a\\u0000b","message":"c\\u0007"}]}')
  expect(JSON.stringify(item)).not.toContain('\\u0000')
})
