/** The intent was stored or is a duplicate. A duplicate is not stored, and `id` is then the id of the earlier intent. */
export interface StoredResult {
  /** UUIDv7 of the intent. The relay sends it as the id of the event. */
  readonly id: string
  /** Whether an intent with the same dedup key exists within the dedup window. */
  readonly duplicate: boolean
  readonly error?: undefined
}

/** The intent was left out, and the caller's transaction is unchanged. Only with `onError: 'ignore'`. */
export interface IgnoredResult {
  readonly id?: undefined
  readonly duplicate: false
  /** Why the intent could not be stored. */
  readonly error: Error
}

/** Result of enqueueing one intent. */
export type EnqueueResult = StoredResult | IgnoredResult
