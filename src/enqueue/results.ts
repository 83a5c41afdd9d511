/** The intent is stored; or, where `duplicate`, it is not, and `id` is the earlier intent's. */
export interface StoredResult {
  readonly id: string
  readonly duplicate: boolean
  readonly error?: undefined
}

/** The intent was left out, and the caller's transaction is as it was: only with `onError: 'ignore'`. */
export interface IgnoredResult {
  readonly id?: undefined
  readonly duplicate: false
  readonly error: Error
}

/** What became of an intent. */
export type EnqueueResult = StoredResult | IgnoredResult
