import { expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import { credentialEncodings, redactCredentials } from '../../src/customerio/credential-encodings.ts'

const KEY = 'a-key/with<signs>&more'
const pieces = credentialEncodings(KEY, 'site')
const rejected = (message: string): Answer => ({ kind: 'rejected', status: 400, field: undefined, message })

test.each([
  ['plain', KEY],
  ['in upper case', KEY.toUpperCase()],
  ['percent-encoded', encodeURIComponent(KEY)],
  ['in JSON with escaped slashes', KEY.replaceAll('/', '\\/')],
  ['in base64', Buffer.from(KEY).toString('base64')],
  ['in Basic authentication', Buffer.from(`site:${KEY}`).toString('base64')],
  ['in hexadecimal', Buffer.from(KEY).toString('hex')],
  ['the beginning', KEY.slice(0, 8)],
  ['the end', KEY.slice(-8)],
])('a text that shows a key is redacted: %s', (_, form) => {
  const kept = redactCredentials(rejected(`you sent ${form} to us`), pieces)
  expect(kept).toMatchObject({ message: 'redacted: the text shows a credential' })
})

test('neither the reason and message of a refused operation nor a delivery id shows a key', () => {
  const refused = [{ index: 0, reason: `x ${KEY}`, field: 'name', message: `y ${KEY}` }]
  expect(JSON.stringify(redactCredentials({ kind: 'accepted', status: 200, refused }, pieces))).not.toContain(
    'a-key',
  )
  const sent: Answer = { kind: 'accepted', status: 200, refused: [], deliveryId: `${KEY.slice(0, 5)}RPIL` }
  expect(redactCredentials(sent, pieces)).toEqual(sent)
  expect(redactCredentials({ ...sent, deliveryId: KEY }, pieces)).toEqual({
    kind: 'accepted',
    status: 200,
    refused: [],
  })
})

test('other texts are unchanged, and a very short key matches nothing', () => {
  expect(redactCredentials(rejected('name is required'), pieces)).toEqual(rejected('name is required'))
  expect(redactCredentials(rejected('the key is wrong'), credentialEncodings('key'))).toEqual(
    rejected('the key is wrong'),
  )
})
