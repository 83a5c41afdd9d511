import { contentKey } from './content-key.ts'
import type { Intent } from '../intent.ts'
import type { ResolvedOptions } from '../options.ts'
import { key } from '../validate/validate-options.ts'

/**
 * The dedup key of an intent that is enqueued with `options`, or undefined.
 *
 * @param index Index in the array; 0 for a single intent.
 * @throws {InvalidOptionError} if the `dedupKey` function returns an invalid key.
 */
export function dedupKeyOf(options: ResolvedOptions, intent: Intent, index = 0): string | undefined {
  if (options.dedup === 'content') return contentKey(intent)
  const { dedupKey } = options
  return typeof dedupKey === 'function'
    ? key('dedupKey', dedupKey(intent, index), `dedupKey of [${index}]`)
    : dedupKey
}
