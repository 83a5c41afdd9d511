/*
 * How much one request may hold: the numbers of `src/intent/limits.ts`, in the form in which the relay uses them to cut
 * batches. `src/intent/size.ts` measures how large an intent is.
 */
import {
  MAX_BATCH_BYTES,
  MAX_BATCH_COUNT,
  MAX_MESSAGE_BYTES,
  MAX_OPERATION_BYTES,
} from '../../intent/limits.ts'
import { jsonBytes } from '../../intent/size.ts'
import type { TransportLimits, WireItem } from './transport.ts'

/** One batch request of Track v2 or Pipelines; the envelope `{"batch":[]}` is subtracted. */
export const BATCH_LIMITS: TransportLimits = {
  count: MAX_BATCH_COUNT,
  bytes: MAX_BATCH_BYTES - jsonBytes({ batch: [] }),
  itemBytes: MAX_OPERATION_BYTES,
}

/** One request of the App API: a single message or broadcast. */
export const MESSAGE_LIMITS: TransportLimits = {
  count: 1,
  bytes: MAX_MESSAGE_BYTES,
  itemBytes: MAX_MESSAGE_BYTES,
}

/**
 * The item of a request that takes exactly one.
 *
 * @throws {TypeError} for no item, or several.
 */
export function onlyItem<Item extends WireItem>(items: readonly Item[]): Item {
  const [only, ...others] = items
  if (only === undefined || others.length > 0) {
    throw new TypeError(`Expected one item in a request of the App API, got ${items.length}`)
  }
  return only
}
