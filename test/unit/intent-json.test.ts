import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { toPayload } from '../../src/intent/payload.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

const track = (data: unknown) => ({ operation: 'track', customerId: '42', name: 'x', data })

function problem(data: unknown): string {
  try {
    validateIntent(track(data))
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}

/** `JSON.rawJSON` exists in Node.js 22 and later. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown }

class Money {
  readonly amount = 1
}

function nested(levels: number): unknown {
  return levels === 0 ? 1 : { a: nested(levels - 1) }
}

test('an intent that is read from jsonb is refused like an enqueued one, for its depth or for a number that became infinite', () => {
  const stored = (data: unknown) => {
    const read: unknown = JSON.parse(JSON.stringify(track(data)).replaceAll('"1e400"', '1e400'))
    return () => validateIntent(read, undefined, 100)
  }
  for (const levels of [30, 31, 32, 33]) {
    const said = problem(nested(levels))
    if (said === 'accepted') expect(stored(nested(levels))).not.toThrow()
    else expect(stored(nested(levels))).toThrow(said)
  }
  expect(problem(nested(30))).toBe('accepted')
  expect(problem(nested(33))).toContain('is nested deeper than 32 levels')
  expect(stored({ a: [{ b: '1e400' }] })).toThrow('data.a[0].b is Infinity, which JSON cannot hold')
})

describe('a value that JSON cannot hold is refused, and the error names its path', () => {
  test.each<[unknown, string]>([
    [
      { at: new Date() },
      'data.at is a Date, which JSON cannot hold: pass Math.floor(date.getTime() / 1000) or date.toISOString()',
    ],
    [{ total: Number.NaN }, 'data.total is NaN, which JSON cannot hold: pass a number or null'],
    [
      { a: [{ total: Number.NEGATIVE_INFINITY }] },
      'data.a[0].total is -Infinity, which JSON cannot hold: pass a number or null',
    ],
    [{ total: 7n }, 'data.total is a bigint, which JSON cannot hold: pass a string'],
    [{ f: () => 1 }, 'data.f is a function, which JSON cannot hold'],
    [{ toJSON: () => 1 }, 'data.toJSON is a function, which JSON cannot hold'],
    [{ s: Symbol('s') }, 'data.s is a symbol, which JSON cannot hold'],
    [{ a: { [Symbol('s')]: 1 } }, 'data.a has a symbol for a name, which JSON cannot hold'],
    [{ list: [1, undefined] }, 'data.list[1] is undefined, which JSON cannot hold: pass null'],
    // biome-ignore lint/suspicious/noSparseArray: the case under test
    [{ list: [1, , 2] }, 'data.list[1] is a hole in a sparse array, which JSON cannot hold: pass null'],
    [{ list: new Array(3) }, 'data.list[0] is a hole in a sparse array, which JSON cannot hold: pass null'],
    [{ m: new Map() }, 'data.m is a Map, not a plain object: pass plain JSON'],
    [{ m: new Set() }, 'data.m is a Set, not a plain object: pass plain JSON'],
    [{ m: new Money() }, 'data.m is a Money, not a plain object: pass plain JSON'],
    [{ m: Buffer.from('x') }, 'data.m is a Buffer, not a plain object: pass plain JSON'],
    [{ m: Object(7) }, 'data.m is a Number, not a plain object: pass plain JSON'],
    [
      { n: rawJson('9007199254740993') },
      'data.n is raw JSON, whose numbers may lose digits: pass a number or a string',
    ],
    [{ m: /x/ }, 'data.m is a RegExp, not a plain object: pass plain JSON'],
    [{ m: Object.assign([1], { toJSON: () => 1 }) }, 'data.m has a toJSON method: pass plain JSON'],
  ])('%#: %o', (data, message) => {
    expect(problem(data)).toBe(`track: ${message}`)
  })

  test.each([
    [
      'itself',
      () => {
        const data: Record<string, unknown> = {}
        data.self = data
        return data
      },
      'data.self',
    ],
    [
      'through a list',
      () => {
        const list: unknown[] = [1]
        list.push({ list })
        return { list }
      },
      'data.list[1].list',
    ],
    [
      'twice at every level',
      () => {
        const data: Record<string, unknown> = {}
        data.a = { l: data, r: data }
        return data
      },
      'data.a.l',
    ],
  ])('a circular reference: %s', (_name, make, path) => {
    expect(problem(make())).toBe(
      `track: ${path} is circular, which JSON cannot hold: remove the reference to itself`,
    )
  })
})

describe('text that Postgres cannot store is refused', () => {
  test.each<[unknown, string]>([
    [
      { note: 'a\u0000b' },
      'data.note holds a NUL character (\\u0000), which Postgres cannot store: remove it',
    ],
    [
      { list: ['\u0000'] },
      'data.list[0] holds a NUL character (\\u0000), which Postgres cannot store: remove it',
    ],
    [
      { 'a\u0000b': 1 },
      'data["a\\u0000b"] is a name that holds a NUL character (\\u0000), which Postgres cannot store: remove it',
    ],
    [
      { note: '\ud83d' },
      'data.note holds half a surrogate pair, which Postgres cannot store: cut texts between characters, or use text.toWellFormed()',
    ],
    [
      { note: '\ude00\ud83d' },
      'data.note holds half a surrogate pair, which Postgres cannot store: cut texts between characters, or use text.toWellFormed()',
    ],
    [
      { '\ud83d': 1 },
      'data["\\ud83d"] is a name that holds half a surrogate pair, which Postgres cannot store: cut texts between characters, or use text.toWellFormed()',
    ],
  ])('%#: %j', (data, message) => {
    expect(problem(data)).toBe(`track: ${message}`)
  })

  test.each(['name', 'customerId'])('in %s too', (field) => {
    expect(() => validateIntent({ ...track({}), [field]: 'a\u0000' })).toThrow(
      `track: ${field} holds a NUL character`,
    )
  })

  test('text that only looks like a NUL character or half a surrogate pair is accepted', () => {
    expect(problem({ a: '\\u0000', b: '😀', c: '\u0001', '\\ud83d': 1 })).toBe('accepted')
  })
})

describe('depth and breadth', () => {
  test('32 levels are accepted, 33 are refused', () => {
    expect(problem(nested(32))).toBe('accepted')
    expect(() => validateIntent(track(nested(33)))).toThrow(
      expect.objectContaining({
        field: 'data',
        limit: 32,
        actual: 33,
        message: 'track: data is nested deeper than 32 levels: send flatter data',
      }),
    )
  })

  test('a depth that would overflow the stack is refused with the same error', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    expect(problem({ deep })).toBe('track: data is nested deeper than 32 levels: send flatter data')
  })

  test('a few shared objects that expand to billions of values are refused at once', () => {
    let data: unknown = []
    for (let i = 0; i < 30; i++) data = [data, data]
    expect(problem({ data })).toBe('track: data makes the operation more than 32000 bytes: send less data')
  })
})

describe('unusual forms of JSON are accepted', () => {
  test('the same object twice', () => {
    const address = { city: 'Aarhus' }
    expect(problem({ billing: address, shipping: address })).toBe('accepted')
  })

  test('objects of another realm and objects without a prototype', () => {
    expect(problem({ a: runInNewContext('({ b: [1] })'), b: Object.create(null) })).toBe('accepted')
  })

  test('a __proto__ name is plain data', () => {
    const intent = JSON.parse(
      '{"operation":"track","customerId":"42","name":"x","data":{"__proto__":{"admin":true}}}',
    )
    const payload = toPayload(validateIntent(intent))
    expect(JSON.stringify(payload)).toBe('{"customerId":"42","name":"x","data":{"__proto__":{"admin":true}}}')
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test('a __proto__ among the fields is an unknown field', () => {
    const intent = JSON.parse('{"operation":"destroy","customerId":"42","__proto__":{"customerId":"1"}}')
    expect(() => validateIntent(intent)).toThrow('destroy: __proto__ is not a known field')
    const identifiers = JSON.parse('{"id":"42","__proto__":{"email":"x"}}')
    expect(() => validateIntent({ operation: 'destroy', identifiers })).toThrow(
      'destroy: identifiers.__proto__ is not an identifier',
    )
  })
})
