import { contentKey } from './content-key.ts'
import type { Intent } from '../intent.ts'
import type { ResolvedOptions } from '../options.ts'
import { key } from '../validate/validate-options.ts'

/**
 * The dedup key of one of the intents that are enqueued with `options`, if it has one.
 *
 * @param index Its index in the array, 0 for a single intent.
 * @throws InvalidOptionError where the `dedupKey` function returns something that is no key.
 */
export function dedupKeyOf(options: ResolvedOptions, intent: Intent, index = 0): string | undefined {
  if (options.dedup === 'content') return contentKey(intent)
  const { dedupKey } = options
  return typeof dedupKey === 'function'
    ? key('dedupKey', dedupKey(intent, index), `dedupKey of [${index}]`)
    : dedupKey
}
