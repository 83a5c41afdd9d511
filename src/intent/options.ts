import type { Intent } from './intent.ts'

/** Options for one intent. All are optional. */
export type EnqueueOptions = {
  /**
   * Stores at most one intent per workspace and key within the dedup window. A second one is not stored, and its result
   * has `duplicate: true`. 1 to 500 bytes. Name the business fact: `order:42:placed`.
   *
   * @default None: every intent is stored.
   */
  readonly dedupKey?: string | undefined
  /**
   * `'content'` uses a hash of operation, person and payload as the dedup key. Cannot be combined with `dedupKey`.
   *
   * @default None: every intent is stored.
   */
  readonly dedup?: 'content' | undefined
  /**
   * Seconds for which a dedup key counts. More than 0, at most 315,360,000 (ten years).
   *
   * @default 604,800 (7 days); 300 (5 minutes) with `dedup: 'content'`.
   */
  readonly dedupWindowSeconds?: number | undefined
  /**
   * The relay delivers intents with the same ordering key in order. 1 to 500 bytes.
   *
   * @default The identifier of the person.
   */
  readonly orderingKey?: string | undefined
  /**
   * The relay does not send the intent before this time. Until then the intent delays no other intent of its ordering
   * key. From 1970 to ten years ahead.
   *
   * @default Now.
   */
  readonly sendAfter?: Date | undefined
  /**
   * The relay does not send the intent after this time: it makes it a dead letter. Later than `sendAfter`, from 1970 to
   * 9999.
   *
   * @default Never.
   */
  readonly expiresAt?: Date | undefined
  /**
   * Name of the Customer.io workspace in the relay's configuration: 1 to 63 letters, digits, `-` or `_`, starting with a
   * letter or a digit.
   *
   * @default 'default'
   */
  readonly workspace?: string | undefined
  /**
   * What to do with a message or a broadcast if the answer to its request was lost. Customer.io may have sent it, and cannot
   * recognise a second request as a duplicate. `'park'` makes the intent a dead letter; `'resend'` sends it again.
   *
   * @default 'park'
   */
  readonly onAmbiguous?: 'park' | 'resend' | undefined
  /**
   * `'bulk'` uses separate lanes, so that a backfill cannot delay live traffic.
   *
   * @default 'normal'
   */
  readonly priority?: 'normal' | 'bulk' | undefined
  /**
   * `'ignore'` leaves out an intent that cannot be stored and returns the error in its result. The caller's transaction can go
   * on. Mistakes in the calling code are thrown all the same: `NotATransactionError`, `InvalidOptionError`, `TypeError`.
   *
   * @default 'throw'
   */
  readonly onError?: 'throw' | 'ignore' | undefined
}

/** Options for an array of intents: {@link EnqueueOptions}, with a function instead of the dedup key. */
export type BatchEnqueueOptions = Omit<EnqueueOptions, 'dedupKey'> & {
  /**
   * Returns the {@link EnqueueOptions.dedupKey} of an intent.
   *
   * @default None: every intent is stored.
   */
  readonly dedupKey?: ((intent: Intent, index: number) => string) | undefined
}

/** Checked options with their defaults. */
export type ResolvedOptions = {
  readonly dedupKey: string | ((intent: Intent, index: number) => string) | undefined
  readonly dedup: 'content' | undefined
  readonly dedupWindowSeconds: number
  readonly orderingKey: string | undefined
  readonly sendAfter: Date | undefined
  readonly expiresAt: Date | undefined
  readonly workspace: string
  readonly onAmbiguous: 'park' | 'resend'
  readonly priority: 'normal' | 'bulk'
  readonly onError: 'throw' | 'ignore'
}
