/**
 * One workspace of Customer.io: a brand, a region, a stage. It needs the credentials of one API at least. Intents for an API
 * without credentials wait.
 *
 * A credential is visible ASCII characters without spaces and line breaks.
 */
export interface WorkspaceOptions {
  /**
   * Track API, together with `trackApiKey`: people, events, devices, objects.
   *
   * @default undefined: intents for this API wait
   */
  readonly siteId?: string | undefined
  /**
   * Track API, together with `siteId`.
   *
   * @default undefined: intents for this API wait
   */
  readonly trackApiKey?: string | undefined
  /**
   * App API: transactional messages and broadcasts.
   *
   * @default undefined: intents for this API wait
   */
  readonly appApiKey?: string | undefined
  /**
   * Pipelines API: the write key of a source.
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
   * Whether `identify` carries the time of the business write. Customer.io orders updates by it.
   *
   * @default true
   */
  readonly identifyTimestamp?: boolean | undefined
  /**
   * Whether anonymous events go to the Track API v2, which does not document them, in place of v1.
   *
   * @default false
   */
  readonly anonymousOnV2?: boolean | undefined
  /**
   * Staging guard: addresses, ids, or patterns such as `*@example.com` of the only recipients. Every other intent is settled as
   * `suppressed_by_config` and never sent.
   *
   * @default undefined: every recipient is allowed
   */
  readonly allowRecipients?: readonly string[] | undefined
  /**
   * Seconds after which an intent is not sent but becomes a dead letter of reason `expired`. Above 0, at most 315,360,000
   * (ten years).
   *
   * @default undefined: intents do not expire
   */
  readonly maxAgeSeconds?: number | undefined
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
   * The workspaces of this relay, by the name that `enqueue` gives as `workspace`. One at least, or `customerio`.
   *
   * @default undefined: `customerio` is required
   */
  readonly workspaces?: Readonly<Record<string, WorkspaceOptions>> | undefined
  /**
   * Whether `start()` asks Customer.io for the region of each workspace of the Track API. If it is not `region`, `start()` fails
   * with `WrongRegionError`.
   *
   * @default true
   */
  readonly checkRegion?: boolean | undefined
  /**
   * Whether `start()` accepts a database that is a copy of the one that the outbox belongs to. From then on the outbox belongs to
   * the copy. Set it once: a later copy is refused again.
   *
   * @default false
   */
  readonly acceptCopy?: boolean | undefined
  /**
   * Workers per destination, 1 to 64. A quarter as many, one at least, work on its bulk lanes, on top. A destination has 16
   * lanes and 16 bulk lanes, so more than 16 adds workers for bulk lanes only.
   *
   * @default 16
   */
  readonly workers?: number | undefined
  /**
   * Connections of the relay's pool, 2 to 50. One for LISTEN and at most two of pg-boss come on top.
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
   * Quick retries of a request in process, before the lane waits.
   *
   * @default See its members.
   */
  readonly retry?:
    | {
        /**
         * Retries, 0 to 5. With 2, a request is sent three times at most.
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
   * Attempts of an intent that Customer.io answers with 5xx, alone and while other intents pass. The intents of its ordering key
   * wait between the attempts, all others go on. After the last attempt it becomes a dead letter of reason `exhausted`. A failure
   * in an outage counts no attempt.
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
         * Failed requests in a row that open it, 1 to 1,000.
         *
         * @default 5
         */
        readonly failures?: number | undefined
        /**
         * Successful probes in a row that close it, 1 to 100.
         *
         * @default 3
         */
        readonly successes?: number | undefined
        /**
         * Milliseconds until the first probe, 10 to 3,600,000. Doubled with each failed probe.
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
         * Rejected intents (400, 413, 422, an error in a 207) that stop the destination, if they are `rejectionShare` of the last
         * ones. 0 to 10,000; 0 means never. The destination stays stopped, in the state `rejecting`, until an operator resumes it.
         *
         * @default 100
         */
        readonly rejections?: number | undefined
        /**
         * Share of the last intents, 0.01 to 1.
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
 * import { createRelay, InvalidSettingError } from 'customerio-outbox'
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
