import { expect, test } from 'vitest'
import type { AnswerKind } from '../../src/customerio/answer.ts'
import { classify } from '../../src/customerio/classify.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const respond = (status: number, body: string, retryAfter?: string) =>
  classify({ status, body, retryAfter }, NOW)

const BODIES = {
  empty: '',
  json: '{}',
  v1: '{"meta":{"error":"bad"}}',
  v2: '{"errors":[{"reason":"invalid","field":"name","message":"too long"}]}',
  html: '<html><body>Bad Gateway</body></html>',
  text: 'Unauthorized',
  truncated: '{"errors":[{"rea',
  array: '[]',
  number: '42',
}

test('every status with every body has its kind: the owner of the fault', () => {
  const table: Record<string, Record<string, AnswerKind>> = {}
  for (const status of [
    200, 201, 204, 207, 301, 304, 400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 501, 502, 503, 504,
    522, 524, 599,
  ]) {
    table[status] = Object.fromEntries(
      Object.entries(BODIES).map(([name, body]) => [name, respond(status, body).kind]),
    )
  }
  const all = (kind: AnswerKind) => Object.fromEntries(Object.keys(BODIES).map((name) => [name, kind]))
  const words = { json: true, v1: true, v2: true } as Record<string, boolean>
  const onlyJson = (yes: AnswerKind, no: AnswerKind) =>
    Object.fromEntries(Object.keys(BODIES).map((name) => [name, words[name] ? yes : no]))
  const ok = {
    ...onlyJson('accepted', 'unavailable'),
    empty: 'accepted' as const,
    v1: 'unavailable' as const,
    v2: 'rejected' as const,
  }
  expect(table).toEqual({
    200: ok,
    201: ok,
    204: ok,
    207: ok,
    301: all('unavailable'),
    304: all('unavailable'),
    400: onlyJson('rejected', 'unavailable'),
    401: all('credential'),
    403: all('credential'),
    404: all('unavailable'),
    408: all('unavailable'),
    409: all('unavailable'),
    413: all('too_large'),
    418: all('unavailable'),
    422: onlyJson('rejected', 'unavailable'),
    429: all('rate_limited'),
    500: all('unavailable'),
    501: all('unavailable'),
    502: all('unavailable'),
    503: all('unavailable'),
    504: all('unavailable'),
    522: all('unavailable'),
    524: all('unavailable'),
    599: all('unavailable'),
  })
})

test('a 207, and a 200 that carries errors, name what was refused', () => {
  const body = { errors: [{ batch_index: 2, reason: 'invalid', field: 'name', message: 'too long' }] }
  for (const answer of [respond(207, JSON.stringify(body)), classify({ status: 200, json: body }, NOW)]) {
    expect(answer).toEqual({
      kind: 'accepted',
      refused: [{ index: 2, reason: 'invalid', field: 'name', message: 'too long' }],
    })
  }
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
  expect(respond(429, '', header)).toMatchObject({ kind: 'rate_limited', retryAfterMs: ms })
})

test('an error instead of a response is the destination’s, and says what undici hides in its cause', () => {
  const reset = new TypeError('fetch failed', {
    cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
  })
  expect(classify({ error: reset }, NOW)).toEqual({
    kind: 'unavailable',
    status: undefined,
    message: 'read ECONNRESET',
  })
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
  expect(classify({ error: timeout }, NOW)).toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('timeout'),
  })
  for (const odd of [undefined, null, 'text', 42, {}])
    expect(classify({ error: odd }, NOW).kind).toBe('unavailable')
})

test('what is kept of an answer is short, and fit for a text column and a log line', () => {
  const answer = respond(500, `a\u0000b\n\u001b[31m${'x'.repeat(5_000)}`) as { message: string }
  expect(answer.message.length).toBeLessThanOrEqual(500)
  expect(answer.message).not.toMatch(/\p{Cc}/u)
  const item = respond(207, '{"errors":[{"batch_index":0,"reason":"a\\u0000b","message":"c\\u0007"}]}')
  expect(JSON.stringify(item)).not.toContain('\\u0000')
})
