import type { EncryptionKey } from '../encryption/encryption-key.ts'
import type { Operation } from '../intent/intent.ts'

/** Whether later intents of an ordering key are sent after a dead letter of the key, or wait for an operator. */
export type OnDead = 'continue' | 'hold'

/** The choice by operation of the dead letter. */
export type OnDeadByOperation = {
  /**
   * The choice for all other operations.
   *
   * @default 'continue'
   */
  readonly default?: OnDead | undefined
} & { readonly [operation in Operation]?: OnDead | undefined }

/**
 * One workspace of Customer.io: a brand, a region, a stage. It needs the credentials of at least one API. Intents for an API
 * without credentials wait.
 *
 * A credential consists of visible ASCII characters, without spaces or line breaks.
 */
export interface WorkspaceOptions {
  /**
   * The site id for the Track API, which takes people, events, devices and objects. Set it together with `trackApiKey`.
   *
   * @default undefined: intents for this API wait
   */
  readonly siteId?: string | undefined
  /**
   * The API key for the Track API. Set it together with `siteId`.
   *
   * @default undefined: intents for this API wait
   */
  readonly trackApiKey?: string | undefined
  /**
   * The key for the App API, which sends transactional messages and broadcasts.
   *
   * @default undefined: intents for this API wait
   */
  readonly appApiKey?: string | undefined
  /**
   * The write key of a source, for the Pipelines API.
   *
   * @default undefined: intents for this API wait
   */
  readonly pipelinesWriteKey?: string | undefined
  /**
   * The region in which the workspace lives.
   *
   * @default 'us'
   */
  readonly region?: 'us' | 'eu' | undefined
  /**
   * Replaces the origin of the Track API, for a proxy or a test: an http or https URL without a path.
   *
   * @default the origin of `region`
   */
  readonly trackUrl?: string | undefined
  /**
   * Replaces the origin of the App API: an http or https URL without a path.
   *
   * @default the origin of `region`
   */
  readonly appUrl?: string | undefined
  /**
   * Replaces the origin of the Pipelines API: an http or https URL without a path.
   *
   * @default the origin of `region`
   */
  readonly pipelinesUrl?: string | undefined
  /**
   * Whether `identify` carries the time of the business write. Customer.io orders updates by that time.
   *
   * @default true
   */
  readonly identifyTimestamp?: boolean | undefined
  /**
   * Whether anonymous events go to v2 of the Track API instead of v1. The documentation of v2 does not mention them.
   *
   * @default false
   */
  readonly anonymousOnV2?: boolean | undefined
  /**
   * Staging guard: the only recipients that the relay may write to, as addresses, ids, or patterns such as `*@example.com`.
   * An intent for any other recipient is never sent. It is settled as `suppressed_by_config`.
   *
   * @default undefined: every recipient is allowed
   */
  readonly allowRecipients?: readonly string[] | undefined
  /**
   * The longest time in seconds that an intent may wait, counted from its enqueue or, if it was scheduled, from its
   * `sendAfter`. An older intent is not sent: it becomes a dead letter of reason `expired`. Above 0, at most 315,360,000 (ten
   * years).
   *
   * @default undefined: intents do not expire
   */
  readonly maxAgeSeconds?: number | undefined
  /**
   * Whether the payloads of delivered intents are kept in `outbox.archive`, or dropped at once. Only kept payloads can be
   * replayed, and be part of a person's timeline.
   *
   * @default 'drop'
   */
  readonly deliveredPayloads?: 'drop' | 'keep' | undefined
  /**
   * Days for which the payloads are kept, 1 to 3,653. Above 92 days they are kept until the month ends. A change applies to what is
   * delivered from then on. Only with `deliveredPayloads: 'keep'`.
   *
   * @default 30
   */
  readonly deliveredPayloadDays?: number | undefined
  /**
   * What happens to later intents of an ordering key after a dead letter of that key. `continue`: they are sent. `hold`: they
   * wait until an operator redrives or discards the dead letter. An object gives the choice by operation of the dead letter, and
   * `default` for all other operations: `{ default: 'continue', identify: 'hold' }`. A dead letter of reason `expired` never
   * holds.
   *
   * An operation with `hold` is the last of its key in a request. So if one person has many waiting intents, each of them may
   * need a request of its own. A change to `continue` does not release what is held already.
   *
   * @default 'continue'
   */
  readonly onDead?: OnDead | OnDeadByOperation | undefined
  /**
   * Requests per second to each API, for the whole fleet. Above 0, at most 100,000. The defaults are the limits that Customer.io
   * publishes, or that its users report.
   *
   * @default See its members.
   */
  readonly requestsPerSecond?:
    | {
        /** @default 100 */
        readonly track?: number | undefined
        /** @default 100 */
        readonly app?: number | undefined
        /** @default 0.1 */
        readonly broadcast?: number | undefined
        /** @default 1000 */
        readonly pipelines?: number | undefined
      }
    | undefined
}

/**
 * How a relay decrypts payloads: with a key ring, or with the keys that a function finds. Give one of `keys` and `find`.
 *
 * @example
 * ```ts
 * import type { RelayEncryption } from 'customerio-outbox/relay'
 *
 * const encryption: RelayEncryption = { keys: process.env.OUTBOX_ENCRYPTION_KEYS ?? '' }
 * ```
 */
export interface RelayEncryption {
  /**
   * The key ring: keys, or the text `id:base64,id:base64` of them. All of them decrypt.
   *
   * @default undefined: `find` is required
   */
  readonly keys?: string | readonly EncryptionKey[] | undefined
  /**
   * Returns the key of an id, as 32 bytes or their base64: for example, it lets a KMS decrypt a data key. Undefined if there is no
   * such key. The relay keeps what the function returns for up to 1,000 ids, and asks again after 5 s for an id without a key. A
   * call that takes longer than `requestTimeoutMs` has failed. The intents of the id wait meanwhile.
   *
   * @default undefined: `keys` is required
   */
  readonly find?:
    | ((id: string) => EncryptionKey['key'] | undefined | Promise<EncryptionKey['key'] | undefined>)
    | undefined
}

/** Settings of a relay. Every number has bounds. `createRelay` refuses a wrong setting and names it. */
export interface RelayOptions {
  /** The database that the apps enqueue in: `postgres://user:password@host:5432/database`. */
  readonly connectionString: string
  /**
   * A direct connection to the same database, for LISTEN only. Needed if `connectionString` leads through a pooler in transaction
   * mode, which delivers no notifications. A relay without notifications polls.
   *
   * @default connectionString
   */
  readonly listenConnectionString?: string | undefined
  /**
   * The schema of the outbox.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * The workspace `default`. Short for `workspaces: { default: … }`.
   *
   * @default undefined: `workspaces` is required
   */
  readonly customerio?: WorkspaceOptions | undefined
  /**
   * The workspaces of this relay, by the name that the app passes to `enqueue` as `workspace`. At least one is required,
   * unless `customerio` is set.
   *
   * @default undefined: `customerio` is required
   */
  readonly workspaces?: Readonly<Record<string, WorkspaceOptions>> | undefined
  /**
   * The keys of encrypted payloads. `createRelay` does not read `OUTBOX_ENCRYPTION_KEYS`; the command `relay` does.
   *
   * @default undefined: encrypted intents wait
   */
  readonly encryption?: RelayEncryption | undefined
  /**
   * Whether `start()` and `updateWorkspaces()` ask Customer.io for the region of each workspace that has Track API
   * credentials. If the answer differs from `region`, they fail with `WrongRegionError`.
   *
   * @default true
   */
  readonly checkRegion?: boolean | undefined
  /**
   * Whether `start()` accepts a database that is a copy of the one that the outbox belongs to. From then on the outbox
   * belongs to the copy. Set it for one start only: while it is set, `start()` accepts a later copy too.
   *
   * @default false
   */
  readonly acceptCopy?: boolean | undefined
  /**
   * Workers for the normal lanes of each destination, 1 to 64. A quarter as many, at least one, work on its bulk lanes in
   * addition. A destination has 16 normal and 16 bulk lanes, so a value above 16 adds workers for bulk lanes only.
   *
   * @default 16
   */
  readonly workers?: number | undefined
  /**
   * Connections of the relay's pool, 2 to 50. The relay opens one more for LISTEN and at most two for pg-boss.
   *
   * @default 6
   */
  readonly connections?: number | undefined
  /**
   * Fallback poll interval, in milliseconds: the longest delay if a notification is lost. 50 to 60,000.
   *
   * @default 1000
   */
  readonly pollIntervalMs?: number | undefined
  /**
   * Deadline of one request to Customer.io, in milliseconds. 100 to 120,000.
   *
   * @default 10000
   */
  readonly requestTimeoutMs?: number | undefined
  /**
   * The most intents of one request, 1 to 2,000. A request is also limited to 480,000 bytes.
   *
   * @default 1000
   */
  readonly batchSize?: number | undefined
  /**
   * Quick retries of a failed request, before its lane waits with a backoff.
   *
   * @default See its members.
   */
  readonly retry?:
    | {
        /**
         * Retries, 0 to 5. With 2, a request is sent at most three times.
         *
         * @default 2
         */
        readonly maxRetries?: number | undefined
        /**
         * Milliseconds before the first retry, 1 to 60,000. Later delays grow, with jitter.
         *
         * @default 200
         */
        readonly initialDelayMs?: number | undefined
      }
    | undefined
  /**
   * Attempts of an intent that fails when it is sent alone, for example with 5xx, while other intents pass. Between the
   * attempts, the intents of its ordering key wait, and all others go on. After its last attempt, the intent becomes a dead
   * letter of reason `exhausted`. A failure during an outage is not counted as an attempt.
   *
   * @default See its members.
   */
  readonly intentRetry?:
    | {
        /**
         * Attempts, 1 to 1,000. Eight take about two minutes.
         *
         * @default 8
         */
        readonly attempts?: number | undefined
        /**
         * Milliseconds from the first attempt to the second, 1 to 3,600,000. Doubled with each attempt.
         *
         * @default 1000
         */
        readonly initialDelayMs?: number | undefined
        /**
         * The longest delay in milliseconds, 1 to 86,400,000.
         *
         * @default 60000
         */
        readonly maxDelayMs?: number | undefined
      }
    | undefined
  /**
   * The circuit breaker of each destination. All relays share its state.
   *
   * @default See its members.
   */
  readonly breaker?:
    | {
        /**
         * Failed requests in a row that open the breaker, 1 to 1,000.
         *
         * @default 5
         */
        readonly failures?: number | undefined
        /**
         * Successful probes in a row that close the breaker, 1 to 100.
         *
         * @default 3
         */
        readonly successes?: number | undefined
        /**
         * Milliseconds from the opening of the breaker to the first probe, 10 to 3,600,000. Doubled with each failed probe.
         *
         * @default 30000
         */
        readonly halfOpenAfterMs?: number | undefined
        /**
         * The longest delay between two probes in milliseconds, 10 to 86,400,000.
         *
         * @default 300000
         */
        readonly maxHalfOpenAfterMs?: number | undefined
        /**
         * How many rejected intents (400, 413, 422, or an error in a 207) stop the destination. They are counted among the last
         * N intents, where N is `rejections` divided by `rejectionShare`: by default 100 of the last 200. 0 to 10,000; 0 means
         * never. The destination stays stopped, in the state `rejecting`, until an operator resumes it.
         *
         * @default 100
         */
        readonly rejections?: number | undefined
        /**
         * The share of rejected intents that stops the destination (see `rejections`), 0.01 to 1.
         *
         * @default 0.5
         */
        readonly rejectionShare?: number | undefined
      }
    | undefined
  /**
   * Days for which rows of `outbox.delivered` are kept, 1 to 3,650.
   *
   * @default 7
   */
  readonly deliveredRetentionDays?: number | undefined
}

/**
 * A setting of a relay is missing, unknown or out of bounds. `message` is one line: `Expected workers to be a whole number from
 * 1 to 64, got 65`. It quotes no secret.
 *
 * @example
 * ```ts
 * import { createRelay, InvalidSettingError } from 'customerio-outbox/relay'
 *
 * try {
 *   createRelay({ connectionString: 'postgres://localhost/app', workers: 65 })
 * } catch (error) {
 *   if (error instanceof InvalidSettingError) console.error(error.message)
 * }
 * ```
 */
export class InvalidSettingError extends Error {
  override readonly name = 'InvalidSettingError'
  readonly code = 'INVALID_SETTING'
}
