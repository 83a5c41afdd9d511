import {
  type EncryptionKey,
  type SecretKey,
  secretKeyOf,
  WrongKeyError,
} from '../encryption/encryption-key.ts'
import { keyRingOf } from '../encryption/key-ring.ts'
import { kindOf } from '../intent/describe.ts'
import { checkOptionNames, failOption } from '../intent/option-checks.ts'

/**
 * How `createOutbox` encrypts payloads: with the first key of a ring, or with the key that a function returns. Give one of
 * `keys` and `current`.
 *
 * @example
 * ```ts
 * import { createOutbox, type OutboxEncryption } from 'customerio-outbox'
 *
 * const encryption: OutboxEncryption = { keys: process.env.OUTBOX_ENCRYPTION_KEYS ?? '' }
 * const outbox = createOutbox({ encryption })
 * ```
 */
export interface OutboxEncryption {
  /**
   * The key ring: keys, or the text `id:base64,id:base64` of them. The first key encrypts.
   *
   * @default undefined: `current` is required
   */
  readonly keys?: string | readonly EncryptionKey[] | undefined
  /**
   * Returns the key that encrypts, for example a data key of a KMS. It is called once for each call of `enqueue`, so it should
   * keep its key for some minutes.
   *
   * @default undefined: `keys` is required
   */
  readonly current?: (() => EncryptionKey | Promise<EncryptionKey>) | undefined
  /**
   * Whether the name of an event, the path of a page, and the id of a template or a broadcast stay readable in the column
   * `name`.
   *
   * @default false
   */
  readonly readableNames?: boolean | undefined
}

/**
 * No key could be got from `encryption.current`. The intent was not stored, and no SQL has run. `cause` is the error of the
 * function.
 *
 * @example
 * ```ts
 * import { EncryptionKeyError, intents } from 'customerio-outbox'
 *
 * try {
 *   await outbox.enqueue(tx, intents.track(user.id, 'signed_up'))
 * } catch (error) {
 *   if (error instanceof EncryptionKeyError) console.error(error.message)
 *   throw error
 * }
 * ```
 */
export class EncryptionKeyError extends Error {
  override readonly name = 'EncryptionKeyError'
  readonly code = 'ENCRYPTION_KEY'
}

/** The key that encrypts now, and what stays readable. */
export interface AppEncryption {
  readonly current: () => SecretKey | Promise<SecretKey>
  readonly readableNames: boolean
}

const NAMES = ['keys', 'current', 'readableNames'] as const

/** @throws {InvalidOptionError} for the first wrong option. No message quotes a key. */
export function resolveEncryption(given: unknown): AppEncryption | undefined {
  if (given === undefined) return undefined
  const { keys, current, readableNames = false } = checkOptionNames(given, NAMES, 'encryption')
  const fail = (option: string, expected: string, got: string): never =>
    failOption('encryption', expected, got, option === '' ? 'encryption' : `encryption.${option}`)
  if (typeof readableNames !== 'boolean') fail('readableNames', 'to be true or false', kindOf(readableNames))
  if (current !== undefined) {
    if (keys !== undefined) fail('', 'to have keys or current', 'both')
    if (typeof current !== 'function') fail('current', 'to be a function () => key', kindOf(current))
    const get = current as NonNullable<OutboxEncryption['current']>
    return { current: () => currentKey(get), readableNames: readableNames === true }
  }
  try {
    const { first } = keyRingOf(keys)
    return { current: () => first, readableNames: readableNames === true }
  } catch (error) {
    if (error instanceof WrongKeyError) fail('keys', error.expected, error.got)
    throw error
  }
}

function currentKey(get: () => EncryptionKey | Promise<EncryptionKey>): SecretKey | Promise<SecretKey> {
  try {
    const key = get()
    return key instanceof Promise ? key.then(secretKeyOf).catch(failKey) : secretKeyOf(key)
  } catch (error) {
    return failKey(error)
  }
}

function failKey(cause: unknown): never {
  const problem = cause instanceof WrongKeyError ? `: ${cause.message}` : ''
  throw new EncryptionKeyError(`encryption.current returned no key${problem}`, { cause })
}
