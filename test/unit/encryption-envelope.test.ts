/** A test fails if `seal` binds an envelope to fewer columns, reuses an IV, or `unseal` does not check the tag. */
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { secretKeyOf, WrongKeyError } from '../../src/encryption/encryption-key.ts'
import { type Envelope, envelopeOf, seal, unseal } from '../../src/encryption/envelope.ts'
import { keyRingOf } from '../../src/encryption/key-ring.ts'
import { openPayload, sealPayload } from '../../src/encryption/stored-payload.ts'
import { newKey, ringText } from '../support/encryption.ts'

const owner = { workspace: 'default', operation: 'track', orderingKey: 'u1' }
const key = secretKeyOf(newKey('k1'))
const sealed = (text: string) => JSON.parse(seal(key, owner, text)) as Envelope

test('every text comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(unseal(key, owner, sealed(text))).toBe(text)
    }),
  )
})

test('no envelope contains its text, and no two of one text are equal', () => {
  const envelopes = Array.from({ length: 100 }, () => seal(key, owner, 'a marker in the text'))
  expect(new Set(envelopes.map((each) => (JSON.parse(each) as Envelope).iv)).size).toBe(100)
  expect(envelopes.join()).not.toContain('marker')
})

describe('does not open', () => {
  const envelope = sealed('{"customerId":"u1"}')
  const flip = (base64: string, at: number) => {
    const bytes = Buffer.from(base64, 'base64')
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return bytes.toString('base64')
  }
  test.each([
    ['another ciphertext', { data: flip(envelope.data, 0) }],
    ['another tag', { data: flip(envelope.data, Buffer.from(envelope.data, 'base64').length - 1) }],
    ['another IV', { iv: flip(envelope.iv, 3) }],
    ['a cut tag', { data: Buffer.from(envelope.data, 'base64').subarray(0, -1).toString('base64') }],
    ['a short IV', { iv: 'AAAA' }],
    ['no data', { data: '' }],
  ])('%s', (_, change) => {
    expect(unseal(key, owner, { ...envelope, ...change })).toBeUndefined()
  })

  test.each([
    ['workspace', { workspace: 'other' }],
    ['operation', { operation: 'identify' }],
    ['ordering key', { orderingKey: 'u2' }],
    ['a part of one column in the next', { workspace: 'default","track', operation: 'u1', orderingKey: '' }],
  ])('with another %s', (_, change) => {
    expect(unseal(key, { ...owner, ...change }, envelope)).toBeUndefined()
  })

  test('with another key of the same id', () => {
    expect(unseal(secretKeyOf(newKey('k1')), owner, envelope)).toBeUndefined()
  })
})

test.each([
  undefined,
  null,
  'text',
  {},
  { v: 2, key: 'k', iv: '', data: '' },
  { v: 1, key: 1, iv: '', data: '' },
])('%j is no envelope', (payload) => expect(envelopeOf(payload)).toBeUndefined())

test('the payload of a row is opened, and sealed again for the same row', () => {
  const [k1, k2] = [newKey('k1'), newKey('k2')]
  const row = { destination: 'brand_eu/track', operation: 'track', orderingKey: 'u1' }
  const payload = sealPayload(row, { customerId: 'u1', name: 'é' }, keyRingOf(ringText(k1)))
  const stored = { ...row, payload: JSON.parse(payload) as unknown }
  const both = keyRingOf(ringText(k2, k1))
  expect(openPayload(stored, both)).toEqual({ kind: 'opened', text: '{"customerId":"u1","name":"é"}' })
  expect(openPayload(stored, keyRingOf(ringText(k2)))).toEqual({ kind: 'no_key', key: 'k1' })
  expect(openPayload({ ...stored, destination: 'brand/track' }, both)).toEqual({ kind: 'refused' })
  expect(openPayload({ ...stored, payload: {} }, both)).toEqual({ kind: 'refused' })
  expect(JSON.parse(sealPayload(row, {}, both))).toMatchObject({ key: 'k2' })
})

describe('key rings', () => {
  const secret = randomBytes(32).toString('base64')
  test('the first key encrypts, and all are found by id', () => {
    const ring = keyRingOf(` k2:${secret} , k1:${newKey('').key}`)
    expect(ring.first.id).toBe('k2')
    expect([...ring.byId.keys()]).toEqual(['k2', 'k1'])
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty text', ''],
    ['an empty list', []],
    ['a key without an id', secret],
    ['key and id in the wrong order', `${secret}:k1`],
    ['a key of 31 bytes', `k1:${randomBytes(31).toString('base64')}`],
    ['hex', `k1:${randomBytes(32).toString('hex')}`],
    ['an id twice', `k1:${secret},k1:${secret}`],
    ['a trailing comma', `k1:${secret},`],
    ['a list without ids', [{ key: secret }]],
    ['bytes of another length', [{ id: 'k1', key: randomBytes(16) }]],
    ['null in a list', [null]],
  ])('%s is refused, and the error quotes no key', (_, keys) => {
    const wrong = (() => {
      try {
        keyRingOf(keys)
      } catch (error) {
        return error
      }
    })()
    expect(wrong).toBeInstanceOf(WrongKeyError)
    expect(String((wrong as Error).stack)).not.toContain(secret.slice(0, 12))
  })

  test('a key that is printed does not show its bytes', () => {
    const ring = keyRingOf(`k1:${secret}`)
    const bytes = Buffer.from(secret, 'base64')
    const printed = `${inspect(ring, { depth: 9, showHidden: true })}${JSON.stringify([ring, [...ring.byId]])}`
    for (const form of [secret, bytes.toString('hex'), bytes.toString('latin1')])
      expect(printed).not.toContain(form)
  })
})
