import { kindOf } from '../describe.ts'
import { MAX_KEY_BYTES } from '../limits.ts'
import { checkOptionNames, failOption, shownOption } from '../option-checks.ts'
import type { BatchEnqueueOptions, EnqueueOptions, ResolvedOptions } from '../options.ts'
import { utf8Bytes } from '../size.ts'

const DEFAULT_WINDOW_SECONDS = 7 * 24 * 60 * 60
const DEFAULT_CONTENT_WINDOW_SECONDS = 5 * 60
const MAX_WINDOW_SECONDS = 10 * 365 * 24 * 60 * 60
/**
 * The latest `sendAfter` and `expiresAt`. The SQL function `outbox.check_intent` has the same limits. Ten years ahead are
 * counted here from the clock of this host.
 */
const MAX_AHEAD_MS = 3_653 * 24 * 60 * 60 * 1_000
const END_OF_9999 = Date.parse('9999-12-31T23:59:59.999Z')
const WORKSPACE = /^[a-z0-9][a-z0-9_-]{0,62}$/i

const OPTIONS = [
  'dedupKey',
  'dedup',
  'dedupWindowSeconds',
  'orderingKey',
  'sendAfter',
  'expiresAt',
  'workspace',
  'onAmbiguous',
  'priority',
  'onError',
] as const satisfies readonly (keyof EnqueueOptions)[]

/**
 * Checks options and adds the defaults.
 *
 * @param of `'one'` for {@link EnqueueOptions}, `'many'` for {@link BatchEnqueueOptions}.
 * @throws {InvalidOptionError} for the first wrong option.
 */
export function validateOptions(options: unknown = {}, of: 'one' | 'many' = 'one'): ResolvedOptions {
  const given = checkOptionNames(options, OPTIONS, 'options')
  const dedup = oneOf('dedup', given.dedup, ['content'], undefined)
  const dedupKey = dedupKeyOption(given.dedupKey, of)
  if (dedup !== undefined && dedupKey !== undefined) {
    fail('dedup', 'to be given without dedupKey', 'both')
  }
  const sendAfter = date('sendAfter', given.sendAfter, Date.now() + MAX_AHEAD_MS, 'ten years ahead')
  const expiresAt = date('expiresAt', given.expiresAt, END_OF_9999, 'the year 9999')
  if (sendAfter !== undefined && expiresAt !== undefined && expiresAt <= sendAfter) {
    fail(
      'expiresAt',
      'to be later than sendAfter',
      expiresAt < sendAfter ? 'an earlier time' : 'the same time',
    )
  }
  return {
    dedupKey,
    dedup,
    dedupWindowSeconds: windowSeconds(given.dedupWindowSeconds, dedup),
    orderingKey: given.orderingKey === undefined ? undefined : key('orderingKey', given.orderingKey),
    sendAfter,
    expiresAt,
    workspace: workspace(given.workspace),
    onAmbiguous: oneOf('onAmbiguous', given.onAmbiguous, ['park', 'resend'], 'park'),
    priority: oneOf('priority', given.priority, ['normal', 'bulk'], 'normal'),
    onError: oneOf('onError', given.onError, ['throw', 'ignore'], 'throw'),
  }
}

/**
 * Checks a dedup key or an ordering key. A message never prints its value: it may identify a person.
 *
 * @param label Name of the key in a message.
 * @throws {InvalidOptionError} if the database could not store it.
 */
export function key(option: string, value: unknown, label = option): string {
  if (typeof value !== 'string') {
    return fail(option, `to be a string of 1 to ${MAX_KEY_BYTES} bytes`, kindOf(value), label)
  }
  const bytes = utf8Bytes(value)
  if (bytes === 0 || bytes > MAX_KEY_BYTES) {
    fail(option, `to be 1 to ${MAX_KEY_BYTES} bytes (UTF-8)`, `${bytes} bytes`, label)
  }
  const storable = 'to be text that Postgres can store'
  if (value.includes('\u0000')) fail(option, storable, 'a NUL character in it', label)
  if (!value.isWellFormed()) fail(option, storable, 'half a surrogate pair in it', label)
  return value
}

function dedupKeyOption(value: unknown, of: 'one' | 'many'): ResolvedOptions['dedupKey'] {
  if (value === undefined) return undefined
  if (of === 'one') return key('dedupKey', value)
  if (typeof value === 'function') return value as NonNullable<BatchEnqueueOptions['dedupKey']>
  return fail('dedupKey', 'to be a function (intent, index) => string for an array of intents', kindOf(value))
}

function windowSeconds(value: unknown, dedup: 'content' | undefined): number {
  if (value === undefined)
    return dedup === 'content' ? DEFAULT_CONTENT_WINDOW_SECONDS : DEFAULT_WINDOW_SECONDS
  if (typeof value === 'number' && value > 0 && value <= MAX_WINDOW_SECONDS) return value
  const bounds = `more than 0 and at most ${MAX_WINDOW_SECONDS} (10 years)`
  return fail('dedupWindowSeconds', `to be a number of seconds, ${bounds}`, shownOption(value))
}

function date(option: string, value: unknown, latest: number, latestName: string): Date | undefined {
  if (value === undefined) return undefined
  if (!(value instanceof Date)) return fail(option, 'to be a Date', kindOf(value))
  const time = value.getTime()
  if (Number.isNaN(time)) return fail(option, 'to be a valid Date', 'an invalid one')
  if (time >= 0 && time <= latest) return value
  return fail(option, `to be a time from 1970 to ${latestName}`, value.toISOString())
}

function workspace(value: unknown): string {
  if (value === undefined) return 'default'
  if (typeof value === 'string' && WORKSPACE.test(value)) return value
  return fail(
    'workspace',
    'to be 1 to 63 letters, digits, - or _, beginning with a letter or digit',
    shownOption(value),
  )
}

function oneOf<T extends string, D>(
  option: string,
  value: unknown,
  allowed: readonly T[],
  fallback: D,
): T | D {
  if (value === undefined) return fallback
  const found = allowed.find((one) => one === value)
  return found ?? fail(option, `to be ${allowed.map((one) => `'${one}'`).join(' or ')}`, shownOption(value))
}

function fail(option: string, expected: string, got: string, label = option || 'options'): never {
  return failOption(option, expected, got, label)
}
