import type { Intent } from './intent.ts'

/** How one intent is enqueued. Every option may be left out. */
export type EnqueueOptions = {
  /**
   * Makes the intent at most one per workspace and key within the window: a second one is not stored, and its
   * result says `duplicate`. 1 to 500 bytes. Name the business fact: `order:42:placed`. Default: none, every
   * intent is stored.
   */
  readonly dedupKey?: string | undefined
  /**
   * `'content'`: the dedup key is a hash of operation, person and payload. Not together with `dedupKey`.
   * Default: none.
   */
  readonly dedup?: 'content' | undefined
  /**
   * How long a dedup key holds, in seconds: more than 0, at most 315,360,000 (ten years).
   * Default: 604,800 (7 days); with `dedup: 'content'` 300 (5 minutes).
   */
  readonly dedupWindowSeconds?: number | undefined
  /**
   * Intents with one ordering key are delivered in order. 1 to 500 bytes. Default: the person's identifier.
   */
  readonly orderingKey?: string | undefined
  /**
   * Not sent before this time; until then it holds back no other intent of its ordering key. From 1970 to ten years
   * ahead. Default: now.
   */
  readonly sendAfter?: Date | undefined
  /**
   * Not sent after this time: it becomes a dead letter instead. Later than `sendAfter`, from
   * 1970 to 9999. Default: never.
   */
  readonly expiresAt?: Date | undefined
  /**
   * The Customer.io workspace, by its name in the relay's configuration: 1 to 63 letters, digits, `-`, `_`.
   * Default: `'default'`.
   */
  readonly workspace?: string | undefined
  /**
   * What to do with a send that may or may not have happened and that Customer.io cannot recognise as a
   * duplicate: `'park'` it as a dead letter, or `'resend'` it. Default: `'park'`.
   */
  readonly onAmbiguous?: 'park' | 'resend' | undefined
  /**
   * `'bulk'`: delivered in lanes of its own, so that a backfill cannot delay live traffic. Default:
   * `'normal'`.
   */
  readonly priority?: 'normal' | 'bulk' | undefined
  /**
   * `'ignore'`: an intent that cannot be enqueued is left out and reported, and nothing is thrown. Default:
   * `'throw'`.
   */
  readonly onError?: 'throw' | 'ignore' | undefined
}

/** How an array of intents is enqueued: as {@link EnqueueOptions}, with a dedup key for each. */
export type BatchEnqueueOptions = Omit<EnqueueOptions, 'dedupKey'> & {
  /** Gives each intent its own {@link EnqueueOptions.dedupKey}. */
  readonly dedupKey?: ((intent: Intent, index: number) => string) | undefined
}

/** Checked options, with their defaults in place. */
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
