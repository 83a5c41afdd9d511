import { expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answer.ts'
import { formsOf, withoutQuotes, withoutSecrets } from '../../src/customerio/discreet.ts'

const response = (body: string) => ({ status: 500, contentType: undefined, body, retryAfter: undefined })
const unavailable = (message: string): Answer => ({
  kind: 'unavailable',
  status: 500,
  outcome: 'unknown',
  message,
})
const sent = [
  { via: 'batch', operation: { type: 'person', action: 'event', attributes: { note: 'her secret' } } },
]

test('a key is struck out in every form in which it goes out', () => {
  const secrets = formsOf('a key/with signs', 'site')
  const forms = [
    'a key/with signs',
    encodeURIComponent('a key/with signs'),
    Buffer.from('site:a key/with signs').toString('base64'),
    Buffer.from('a key/with signs:').toString('base64'),
  ]
  for (const form of forms)
    expect(withoutSecrets(response(`x ${form} y`), secrets)).toEqual(response('x *** y'))
})

test('a key that is as short as a word takes no words apart', () => {
  expect(withoutSecrets(response('the key is wrong'), formsOf('key', 'site'))).toEqual(
    response('the key is wrong'),
  )
})

test('what is said of a destination is dropped where it quotes a payload, and only there', () => {
  const quoting = response('cannot read "her secret"')
  expect(withoutQuotes(unavailable('…'), quoting, sent)).toMatchObject({
    message: 'the answer quotes what was sent: its words are not kept',
  })
  const own = response('no person for this event')
  expect(withoutQuotes(unavailable('no person for this event'), own, sent)).toMatchObject({
    message: 'no person for this event',
  })
})

test('a field’s name stays, a value in its place does not', () => {
  const refused = (field: string): Answer => ({
    kind: 'accepted',
    refused: [{ index: 0, reason: 'x', field }],
  })
  const field = (answer: Answer) => answer.kind === 'accepted' && answer.refused[0]?.field
  expect(field(withoutQuotes(refused('attributes.note'), response(''), sent))).toBe('attributes.note')
  expect(field(withoutQuotes(refused('her secret'), response(''), sent))).toBe(undefined)
})
