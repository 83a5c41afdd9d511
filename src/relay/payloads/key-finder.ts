import { type SecretKey, secretKeyOf } from '../../encryption/encryption-key.ts'
import type { KeySource } from '../options-schema.ts'
import type { RelayEncryption } from '../options.ts'
import { within } from '../timing/within.ts'

/** Keys that a function has found and that stay in memory. */
const MOST_FOUND = 1_000
/** Ids without a key that are kept. */
const MOST_MISSED = 1_000
/** Milliseconds until the function is called again for an id that it had no key for. */
const RETRY_MS = 5_000

export interface KeyFinderOptions {
  /** Undefined: the relay has no key. */
  readonly source: KeySource | undefined
  /** The deadline of a call of `find`. */
  readonly timeoutMs: number
  readonly onError: (error: Error) => void
}

/** Finds the key of an id, in the ring or by calling the function. It remembers what the function returns. */
export class KeyFinder {
  readonly #options: KeyFinderOptions
  readonly #found = new Map<string, SecretKey>()
  /** By id: when the function is called again, by `performance.now()`. */
  readonly #missed = new Map<string, number>()
  readonly #inFlight = new Map<string, Promise<SecretKey | undefined>>()

  constructor(options: KeyFinderOptions) {
    this.#options = options
  }

  /** The ids of the keys. Null: a function finds keys, and may find any. */
  get ids(): readonly string[] | null {
    const { source } = this.#options
    if (source === undefined) return []
    return 'ring' in source ? [...source.ring.byId.keys()] : null
  }

  /** @returns undefined if there is no such key, or the function failed or took too long. A promise only if it is called. */
  find(id: string): SecretKey | undefined | Promise<SecretKey | undefined> {
    const { source } = this.#options
    if (source === undefined) return undefined
    if ('ring' in source) return source.ring.byId.get(id)
    const found = this.#found.get(id)
    if (found) return found
    if ((this.#missed.get(id) ?? 0) > performance.now()) return undefined
    const inFlight = this.#inFlight.get(id)
    if (inFlight !== undefined) return inFlight
    const finding = this.#call(source.find, id).finally(() => this.#inFlight.delete(id))
    this.#inFlight.set(id, finding)
    return finding
  }

  async #call(find: NonNullable<RelayEncryption['find']>, id: string): Promise<SecretKey | undefined> {
    const { timeoutMs, onError } = this.#options
    try {
      const asked = Promise.resolve().then(() => find(id))
      const late = `took longer than ${timeoutMs} ms`
      const answer = await within(
        timeoutMs,
        asked.then((key) => ({ key })),
      )
      if (answer === undefined) throw new Error(late)
      if (answer.key !== undefined) {
        const key = secretKeyOf({ id, key: answer.key })
        remember(this.#found, MOST_FOUND, id, key)
        return key
      }
    } catch (cause) {
      const problem = (cause as Error | undefined)?.message ?? 'unknown error'
      onError(new Error(`encryption.find failed for key ${id.slice(0, 40)}: ${problem}`, { cause }))
    }
    remember(this.#missed, MOST_MISSED, id, performance.now() + RETRY_MS)
    return undefined
  }
}

/** Adds an entry, and removes the oldest one if there are too many. */
function remember<T>(map: Map<string, T>, most: number, id: string, value: T): void {
  map.delete(id)
  map.set(id, value)
  if (map.size > most) map.delete(map.keys().next().value as string)
}
