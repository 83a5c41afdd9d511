import { describe, expect, test } from 'vitest'
import { validateOptions } from '../../src/intent/validate/validate-options.ts'

const DEFAULTS = {
  dedupKey: undefined,
  dedup: undefined,
  dedupWindowSeconds: 604_800,
  orderingKey: undefined,
  sendAfter: undefined,
  expiresAt: undefined,
  workspace: 'default',
  onAmbiguous: 'park',
  priority: 'normal',
  onError: 'throw',
}

describe('accepted', () => {
  test('no options: the defaults', () => {
    expect(validateOptions()).toEqual(DEFAULTS)
    expect(validateOptions({})).toEqual(DEFAULTS)
    expect(validateOptions({ dedupKey: undefined, workspace: undefined })).toEqual(DEFAULTS)
  })

  test('dedup by content has a window of five minutes by default', () => {
    expect(validateOptions({ dedup: 'content' })).toEqual({
      ...DEFAULTS,
      dedup: 'content',
      dedupWindowSeconds: 300,
    })
    expect(validateOptions({ dedup: 'content', dedupWindowSeconds: 60 }).dedupWindowSeconds).toBe(60)
  })

  test('every option', () => {
    const options = {
      dedupKey: 'order:42:placed',
      dedupWindowSeconds: 0.5,
      orderingKey: 'account:7',
      sendAfter: new Date(1_000),
      expiresAt: new Date(2_000),
      workspace: 'eu-Main_2',
      onAmbiguous: 'resend',
      priority: 'bulk',
      onError: 'ignore',
    }
    expect(validateOptions(options)).toEqual({ ...DEFAULTS, ...options })
  })

  test.each([
    { dedupKey: 'k'.repeat(500) },
    { orderingKey: '€'.repeat(166) },
    { dedupWindowSeconds: 315_360_000 },
    { workspace: 'w'.repeat(63) },
  ])('at the limit: %#', (options) => {
    expect(validateOptions(options)).toMatchObject(options)
  })
})

describe('refused', () => {
  const workspace =
    'Expected workspace to be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got'
  const seconds =
    'Expected dedupWindowSeconds to be a number of seconds, more than 0 and at most 315360000 (10 years), got'

  test.each<[unknown, string, string]>([
    [null, '', 'Expected options to be an object, got null'],
    ['key', '', 'Expected options to be an object, got string'],
    [
      { dedupkey: 'x' },
      'dedupkey',
      'Expected options to have known names only, got "dedupkey": did you mean dedupKey?',
    ],
    [
      { delay: 1 },
      'delay',
      'Expected options to have known names only, got "delay": pass one of dedupKey, dedup, dedupWindowSeconds, orderingKey, sendAfter, expiresAt, workspace, onAmbiguous, priority, onError',
    ],
    [{ dedupKey: '' }, 'dedupKey', 'Expected dedupKey to be 1 to 500 bytes (UTF-8), got 0 bytes'],
    [
      { dedupKey: '€'.repeat(167) },
      'dedupKey',
      'Expected dedupKey to be 1 to 500 bytes (UTF-8), got 501 bytes',
    ],
    [{ dedupKey: 42 }, 'dedupKey', 'Expected dedupKey to be a string of 1 to 500 bytes, got number'],
    [{ dedupKey: () => 'x' }, 'dedupKey', 'Expected dedupKey to be a string of 1 to 500 bytes, got function'],
    [
      { dedupKey: 'a\u0000' },
      'dedupKey',
      'Expected dedupKey to be text that Postgres can store, got a NUL character in it',
    ],
    [
      { orderingKey: '\ud83d' },
      'orderingKey',
      'Expected orderingKey to be text that Postgres can store, got half a surrogate pair in it',
    ],
    [{ orderingKey: '' }, 'orderingKey', 'Expected orderingKey to be 1 to 500 bytes (UTF-8), got 0 bytes'],
    [{ dedup: 'key' }, 'dedup', `Expected dedup to be 'content', got "key"`],
    [{ dedup: 'content', dedupKey: 'x' }, 'dedup', 'Expected dedup to be given without dedupKey, got both'],
    [{ dedupWindowSeconds: 0 }, 'dedupWindowSeconds', `${seconds} 0`],
    [{ dedupWindowSeconds: 604_800_000 }, 'dedupWindowSeconds', `${seconds} 604800000`],
    [{ dedupWindowSeconds: Number.NaN }, 'dedupWindowSeconds', `${seconds} NaN`],
    [{ dedupWindowSeconds: '7 days' }, 'dedupWindowSeconds', `${seconds} "7 days"`],
    [{ sendAfter: 1_700_000_000 }, 'sendAfter', 'Expected sendAfter to be a Date, got number'],
    [{ sendAfter: new Date('x') }, 'sendAfter', 'Expected sendAfter to be a valid Date, got an invalid one'],
    [{ expiresAt: '2026-01-01' }, 'expiresAt', 'Expected expiresAt to be a Date, got string'],
    [
      { sendAfter: new Date(2), expiresAt: new Date(1) },
      'expiresAt',
      'Expected expiresAt to be later than sendAfter, got an earlier time',
    ],
    [
      { sendAfter: new Date(2), expiresAt: new Date(2) },
      'expiresAt',
      'Expected expiresAt to be later than sendAfter, got the same time',
    ],
    [{ workspace: '' }, 'workspace', `${workspace} ""`],
    [{ workspace: '-eu' }, 'workspace', `${workspace} "-eu"`],
    [{ workspace: 'a/b' }, 'workspace', `${workspace} "a/b"`],
    [{ workspace: 'a\n' }, 'workspace', `${workspace} "a\\n"`],
    [{ workspace: 7 }, 'workspace', `${workspace} 7`],
    [{ onAmbiguous: 'retry' }, 'onAmbiguous', `Expected onAmbiguous to be 'park' or 'resend', got "retry"`],
    [{ priority: 'low' }, 'priority', `Expected priority to be 'normal' or 'bulk', got "low"`],
    [{ onError: true }, 'onError', `Expected onError to be 'throw' or 'ignore', got true`],
  ])('%#: %o', (options, option, message) => {
    expect(() => validateOptions(options)).toThrow(
      expect.objectContaining({ name: 'InvalidOptionError', code: 'INVALID_OPTION', option, message }),
    )
  })

  test('a single key for an array of intents', () => {
    expect(() => validateOptions({ dedupKey: 'x' }, 'many')).toThrow(
      'Expected dedupKey to be a function (intent, index) => string for an array of intents, got string',
    )
    expect(() => validateOptions({ dedup: 'content', dedupKey: () => 'x' }, 'many')).toThrow('got both')
  })

  test('a key is never printed', () => {
    expect(() => validateOptions({ dedupKey: 'jane@example.com\u0000' })).toThrow(/^(?!.*jane)/)
  })
})
