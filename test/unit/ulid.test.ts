import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import { isUlid } from '../../src/intent/validate/text.ts'

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** The reference: 128 bits as 26 digits of base 32, by arithmetic. */
function base32(uuid: string): string {
  let rest = BigInt(`0x${uuid.replaceAll('-', '')}`)
  let digits = ''
  for (let i = 0; i < 26; i++) {
    digits = CROCKFORD.charAt(Number(rest % 32n)) + digits
    rest /= 32n
  }
  return digits
}

function uuidOf(ulid: string): string {
  const bits = [...ulid].reduce((sum, digit) => sum * 32n + BigInt(CROCKFORD.indexOf(digit)), 0n)
  return bits
    .toString(16)
    .padStart(32, '0')
    .replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
}

const anyUuid = fc
  .bigInt({ min: 0n, max: 2n ** 128n - 1n })
  .map((bits) => bits.toString(16).padStart(32, '0'))
  .map((hex) => hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5'))

describe('toUlid', () => {
  test('encodes a known UUIDv7', () => {
    expect(toUlid('01890a5d-ac96-774b-bcce-b302099a8057')).toBe('01H455VB4PEX5VSKNK084SN02Q')
  })

  test.each([
    ['00000000-0000-0000-0000-000000000000', '00000000000000000000000000'],
    ['ffffffff-ffff-ffff-ffff-ffffffffffff', '7ZZZZZZZZZZZZZZZZZZZZZZZZZ'],
  ])('encodes %s', (uuid, ulid) => {
    expect(toUlid(uuid)).toBe(ulid)
  })

  test('is a valid ULID, equal to the reference, and loses nothing', () => {
    fc.assert(
      fc.property(anyUuid, (uuid) => {
        const ulid = toUlid(uuid)
        expect(isUlid(ulid)).toBe(true)
        expect(ulid).toBe(base32(uuid))
        expect(uuidOf(ulid)).toBe(uuid)
      }),
    )
  })

  test('keeps the order: a later UUID has a greater ULID', () => {
    fc.assert(
      fc.property(anyUuid, anyUuid, (a, b) => {
        expect(toUlid(a) < toUlid(b)).toBe(a < b)
      }),
    )
  })

  test('accepts upper-case UUIDs, and refuses texts that are no UUID', () => {
    expect(toUlid('01890A5D-AC96-774B-BCCE-B302099A8057')).toBe(
      toUlid('01890a5d-ac96-774b-bcce-b302099a8057'),
    )
    const uuid = '01890a5d-ac96-774b-bcce-b302099a8057'
    for (const wrong of [
      '42',
      '',
      `${uuid}0`,
      uuid.slice(1),
      uuid.replace('5', 'g'),
      uuid.replace('5', 'é'),
    ]) {
      expect(() => toUlid(wrong), wrong).toThrow('Expected a UUID')
    }
    expect(() => toUlid(uuid.replace('a', '語'))).toThrow('Expected a UUID')
  })
})

describe('isUlid', () => {
  const ulid = '01H455VB4PEX5VSKNK084SN02Q'

  test.each([ulid, ulid.toLowerCase(), CROCKFORD.slice(0, 26), CROCKFORD.slice(-26), 'Z'.repeat(26)])(
    '%s is a ULID',
    (text) => {
      expect(isUlid(text)).toBe(true)
    },
  )

  test.each([
    '',
    ulid.slice(1),
    `${ulid}0`,
    ` ${ulid.slice(1)}`,
    `${ulid}\n`,
    ...[...'ILOU-ſı語'].map((letter) => ulid.replace('V', letter)),
    '01890a5d-ac96-774b-bcce-b302099a8057',
    42,
    undefined,
    null,
    [ulid],
  ])('%s is no ULID', (value) => {
    expect(isUlid(value)).toBe(false)
  })

  test('a text of 26 characters is a ULID if every character is a digit of the alphabet', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 26, maxLength: 26 }), (text) => {
        expect(isUlid(text)).toBe([...text].every((one) => CROCKFORD.includes(one.toUpperCase())))
      }),
    )
  })
})
