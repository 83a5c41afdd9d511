import { z } from 'zod'
import { credentialProblem } from '../customerio/credentials.ts'
import { describeSetting } from './describe-setting.ts'

/** Messages of these schemas continue `Expected <name of the setting> …`. They begin with `to `. */

function whole(min: number, max: number, unit = '') {
  const error = `to be a whole number from ${min} to ${max}${unit}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

function share(min: number, max: number) {
  const error = `to be a number from ${min} to ${max}`
  return z.number({ error }).min(min, { error }).max(max, { error })
}

/** A number of milliseconds. Its bounds reveal a wrong unit, such as seconds, at construction. */
const ms = (min: number, max: number) => whole(min, max, ' milliseconds')

const ADDRESS = 'to be a URL such as postgres://user:password@host:5432/database'
const address = z.string({ error: ADDRESS }).min(1, { error: ADDRESS })

const PATTERN = 'to be an address, an id, or a pattern such as *@example.com'
const recipientPattern = z.string({ error: PATTERN }).min(1, { error: PATTERN })

const credential = z
  .string()
  .check(({ value, issues }) => {
    const problem = credentialProblem(value)
    if (problem === undefined) return
    issues.push(failed(value, 'to be a credential of Customer.io', `a text that ${problem}`))
  })
  .optional()

const ORIGIN = 'to be an http or https URL without a path'
const origin = z
  .url({ protocol: /^https?$/, error: ORIGIN })
  .refine((url) => URL.canParse(url) && new URL(url).pathname === '/', ORIGIN)
  .optional()

const AGE = 'to be a number of seconds above 0, at most 315360000 (ten years)'
const RATE = 'to be a number above 0, at most 100000'
const requestsPerSecond = z
  .number({ error: RATE })
  .positive({ error: RATE })
  .max(100_000, { error: RATE })
  .optional()

/**
 * An issue that says itself what was found.
 *
 * @param expected Begins with `to `.
 * @param got Quotes nothing of a secret.
 */
function failed(input: unknown, expected: string, got: string) {
  return { code: 'custom' as const, input, message: expected, params: { got } }
}

export const workspaceSchema = z
  .strictObject({
    siteId: credential,
    trackApiKey: credential,
    appApiKey: credential,
    pipelinesWriteKey: credential,
    region: z.enum(['us', 'eu']).optional(),
    trackUrl: origin,
    appUrl: origin,
    pipelinesUrl: origin,
    identifyTimestamp: z.boolean().optional(),
    anonymousOnV2: z.boolean().optional(),
    allowRecipients: z.array(recipientPattern).optional(),
    maxAgeSeconds: z
      .number({ error: AGE })
      .positive({ error: AGE })
      .max(315_360_000, { error: AGE })
      .optional(),
    requestsPerSecond: z
      .strictObject({
        track: requestsPerSecond,
        app: requestsPerSecond,
        broadcast: requestsPerSecond,
        pipelines: requestsPerSecond,
      })
      .optional(),
  })
  .check(({ value, issues }) => {
    const { siteId, trackApiKey, appApiKey, pipelinesWriteKey } = value
    if ((siteId === undefined) !== (trackApiKey === undefined)) {
      const alone = siteId === undefined ? 'trackApiKey' : 'siteId'
      issues.push(failed(value, 'to have both siteId and trackApiKey', `${alone} alone`))
    }
    if ((siteId ?? trackApiKey ?? appApiKey ?? pipelinesWriteKey) !== undefined) return
    const expected = 'to have siteId and trackApiKey, appApiKey, or pipelinesWriteKey'
    issues.push(failed(value, expected, 'none of them'))
  })

const workspacesSchema = z.record(
  z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9_-]{0,62}$/i,
      'to be 1 to 63 letters, digits, - or _, beginning with a letter or digit',
    ),
  workspaceSchema,
)

export const relayOptionsSchema = z.strictObject({
  connectionString: address,
  listenConnectionString: address.optional(),
  schema: z.string().optional(),
  customerio: workspaceSchema.optional(),
  workspaces: workspacesSchema.optional(),
  checkRegion: z.boolean().default(true),
  acceptCopy: z.boolean().default(false),
  lanes: whole(1, 64).default(16),
  connections: whole(2, 50).default(6),
  pollIntervalMs: ms(50, 60_000).default(1_000),
  requestTimeoutMs: ms(100, 120_000).default(10_000),
  batchSize: whole(1, 2_000).default(1_000),
  retry: z
    .strictObject({
      attempts: whole(0, 5).default(2),
      initialDelayMs: ms(1, 60_000).default(200),
    })
    .prefault({}),
  intentRetry: z
    .strictObject({
      attempts: whole(1, 1_000).default(8),
      initialDelayMs: ms(1, 3_600_000).default(1_000),
      maxDelayMs: ms(1, 86_400_000).default(60_000),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      failures: whole(1, 1_000).default(5),
      successes: whole(1, 100).default(3),
      halfOpenAfterMs: ms(10, 3_600_000).default(30_000),
      maxHalfOpenAfterMs: ms(10, 86_400_000).default(300_000),
      rejections: whole(0, 10_000).default(100),
      rejectionShare: share(0.01, 1).default(0.5),
    })
    .prefault({}),
  deliveredRetentionDays: whole(1, 3_650).default(7),
})

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
   * Lanes of one destination that are worked at a time, 1 to 64. A quarter as many bulk lanes come on top, one at least.
   *
   * @default 16
   */
  readonly lanes?: number | undefined
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
         * Retries, 0 to 5.
         *
         * @default 2
         */
        readonly attempts?: number | undefined
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

export type ResolvedWorkspace = z.output<typeof workspaceSchema>
export type ResolvedRelayOptions = Omit<z.output<typeof relayOptionsSchema>, 'customerio' | 'workspaces'> & {
  readonly workspaces: Readonly<Record<string, ResolvedWorkspace>>
}

/**
 * A setting of a relay is missing, unknown or out of bounds. `message` is one line: `Expected lanes to be a whole number from 1
 * to 64, got 65`. It quotes no secret.
 *
 * @example
 * ```ts
 * import { createRelay, InvalidSettingError } from 'customerio-outbox'
 *
 * try {
 *   createRelay({ connectionString: 'postgres://localhost/app', lanes: 65 })
 * } catch (error) {
 *   if (error instanceof InvalidSettingError) console.error(error.message)
 * }
 * ```
 */
export class InvalidSettingError extends Error {
  override readonly name = 'InvalidSettingError'
  readonly code = 'INVALID_SETTING'
}

/**
 * Checks a relay's options and fills in the defaults.
 *
 * @throws InvalidSettingError for the first setting that is wrong.
 */
export function resolveRelayOptions(options: RelayOptions): ResolvedRelayOptions {
  const result = relayOptionsSchema.safeParse(options)
  if (result.success) {
    const { customerio, workspaces, ...settings } = result.data
    const all = { ...(customerio ? { default: customerio } : {}), ...workspaces }
    if (Object.keys(all).length > 0) return { ...settings, workspaces: all }
    throw new InvalidSettingError(
      'Expected customerio or workspaces to have the credentials of a workspace, got none',
    )
  }
  throw new InvalidSettingError(describeSetting(result.error, relayOptionsSchema, options, []))
}

/**
 * Checks workspaces and fills in the defaults.
 *
 * @throws InvalidSettingError for the first setting that is wrong, or if there is no workspace.
 */
export function resolveWorkspaces(
  workspaces: Readonly<Record<string, WorkspaceOptions>>,
): ResolvedRelayOptions['workspaces'] {
  const result = workspacesSchema.safeParse(workspaces)
  if (!result.success) {
    throw new InvalidSettingError(describeSetting(result.error, workspacesSchema, workspaces, ['workspaces']))
  }
  if (Object.keys(result.data).length > 0) return result.data
  throw new InvalidSettingError('Expected workspaces to have the credentials of a workspace, got none')
}
