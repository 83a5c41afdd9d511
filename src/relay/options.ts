import { z } from 'zod'
import { credentialProblem } from '../customerio/credentials.ts'
import { describeSetting } from './describe-setting.ts'

function whole(min: number, max: number, unit = '') {
  const error = `to be a whole number from ${min} to ${max}${unit}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

function share(min: number, max: number) {
  const error = `to be a number from ${min} to ${max}`
  return z.number({ error }).min(min, { error }).max(max, { error })
}

/** A number of milliseconds, bounded so that a slip of units (seconds for ms) is found at construction. */
const ms = (min: number, max: number) => whole(min, max, ' milliseconds')

const ADDRESS = 'to be a URL such as postgres://user:password@host:5432/database'
const address = z.string({ error: ADDRESS }).min(1, { error: ADDRESS })
const text = z.string().min(1)
const credential = z
  .string()
  .refine((value) => credentialProblem(value) === undefined, {
    error: ({ input }) => credentialProblem(String(input)),
  })
  .optional()
const origin = z
  .url({ protocol: /^https?$/ })
  .refine((url) => new URL(url).pathname === '/', 'must be an origin, without a path')
  .optional()
const AGE = 'to be a number of seconds above 0, at most 315360000 (ten years)'
const RATE = 'to be a number above 0, at most 100000'
const requestsPerSecond = z
  .number({ error: RATE })
  .positive({ error: RATE })
  .max(100_000, { error: RATE })
  .optional()

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
    allowRecipients: z.array(text).optional(),
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
  .refine(({ siteId, trackApiKey }) => (siteId === undefined) === (trackApiKey === undefined), {
    error: 'siteId and trackApiKey belong together',
  })
  .refine(
    ({ siteId, trackApiKey, appApiKey, pipelinesWriteKey }) =>
      (siteId ?? trackApiKey ?? appApiKey ?? pipelinesWriteKey) !== undefined,
    { error: 'needs siteId and trackApiKey, appApiKey, or pipelinesWriteKey' },
  )

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

/** One workspace of Customer.io: a brand, a region, a stage. Intents for an API without its key wait. */
export interface WorkspaceOptions {
  /** Track API: together with `trackApiKey`. Like every key: visible ASCII characters, without spaces and line breaks. */
  readonly siteId?: string | undefined
  readonly trackApiKey?: string | undefined
  /** App API: transactional messages and broadcasts. */
  readonly appApiKey?: string | undefined
  /** Pipelines API. */
  readonly pipelinesWriteKey?: string | undefined
  /** Default: `us`. */
  readonly region?: 'us' | 'eu' | undefined
  /** Origins in place of Customer.io's, for a proxy or a test. */
  readonly trackUrl?: string | undefined
  readonly appUrl?: string | undefined
  readonly pipelinesUrl?: string | undefined
  /** Whether `identify` carries the time of the business write, by which Customer.io orders updates. Default: true. */
  readonly identifyTimestamp?: boolean | undefined
  /** Whether anonymous events go to the Track API v2, which does not document them. Default: false, to v1. */
  readonly anonymousOnV2?: boolean | undefined
  /**
   * Staging guard: patterns (`*@example.com`) of the only people who may be told of. Everything else is settled as
   * `suppressed_by_config` and never sent. Default: everybody.
   */
  readonly allowRecipients?: readonly string[] | undefined
  /** Seconds after which an intent is a dead letter of reason `expired` and not sent, at most ten years. Default: never. */
  readonly maxAgeSeconds?: number | undefined
  /**
   * Requests per second and API, for the whole fleet. Default: track 100, app 100, broadcast 0.1, pipelines 1,000:
   * Customer.io's published and reported limits.
   */
  readonly requestsPerSecond?:
    | {
        readonly track?: number | undefined
        readonly app?: number | undefined
        readonly broadcast?: number | undefined
        readonly pipelines?: number | undefined
      }
    | undefined
}

/** Settings of a relay. Every number is bounded; a wrong one is refused at construction, by name. */
export interface RelayOptions {
  /** The database that the apps enqueue in. */
  readonly connectionString: string
  /**
   * A direct connection to the same database, used for nothing but LISTEN: where `connectionString` goes through a
   * pooler in transaction mode, which lets no notification through. Default: `connectionString`. A relay that hears
   * nothing polls.
   */
  readonly listenConnectionString?: string | undefined
  /** Default: `outbox`. */
  readonly schema?: string | undefined
  /** The workspace `default`. The same as `workspaces: { default: … }`. */
  readonly customerio?: WorkspaceOptions | undefined
  /** Every workspace that this relay serves, by the name that `enqueue` gives as `workspace`. */
  readonly workspaces?: Readonly<Record<string, WorkspaceOptions>> | undefined
  /**
   * Whether `start()` asks Customer.io in which region each workspace of the Track API lives, and fails where that
   * is another than `region`. Default: true.
   */
  readonly checkRegion?: boolean | undefined
  /**
   * Whether `start()` takes a database that is a copy of the one that the outbox belongs to, and writes down that the
   * outbox belongs to this one from now on. Give it once: a copy that is made later is refused again. Default: false.
   */
  readonly acceptCopy?: boolean | undefined
  /** Lanes of one destination worked at a time, 1–64, and a quarter as many (at least one) of bulk ones. Default: 16. */
  readonly lanes?: number | undefined
  /** Connections of the relay's own pool, 2–50; one for LISTEN and at most two of pg-boss come on top. Default: 6. */
  readonly connections?: number | undefined
  /** Milliseconds between polls, the backstop of lost wake-ups; 50–60,000. Default: 1,000. */
  readonly pollIntervalMs?: number | undefined
  /** Milliseconds that one request may take; 100–120,000. Default: 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** Intents of one request at most, 1–2,000; bytes bound it too. Default: 1,000. */
  readonly batchSize?: number | undefined
  readonly retry?:
    | {
        /** Quick retries in process before the lane waits, 0–5. Default: 2. */
        readonly attempts?: number | undefined
        /** Milliseconds before the first of them, growing, with jitter. Default: 200. */
        readonly initialDelayMs?: number | undefined
      }
    | undefined
  /**
   * An intent at which Customer.io fails (5xx) every time, alone and while others pass. Its key waits from one
   * attempt to the next, everybody else's intents go on; after the last it is a dead letter of reason `exhausted`.
   * What fails with everything else, in an outage, is charged no attempt.
   */
  readonly intentRetry?:
    | {
        /** Attempts, 1–1,000. Default: 8, which takes about two minutes. */
        readonly attempts?: number | undefined
        /** Milliseconds from the first attempt to the second, doubled with each. Default: 1,000. */
        readonly initialDelayMs?: number | undefined
        /** Milliseconds that the delay grows to. Default: 60,000. */
        readonly maxDelayMs?: number | undefined
      }
    | undefined
  readonly breaker?:
    | {
        /** Consecutive failures that open it. Default: 5. */
        readonly failures?: number | undefined
        /** Successes that close it again. Default: 3. */
        readonly successes?: number | undefined
        /** Milliseconds until the first probe, doubled with every failed one. Default: 30,000. */
        readonly halfOpenAfterMs?: number | undefined
        /** Milliseconds that the delay grows to. Default: 300,000. */
        readonly maxHalfOpenAfterMs?: number | undefined
        /**
         * Intents that Customer.io rejects (400, 413, 422, an error in a 207) until the relay stops the destination, if they
         * are `rejectionShare` of the last ones; 0–10,000, 0: never. The destination stays stopped, in the state `rejecting`,
         * until a person resumes it. Default: 100.
         */
        readonly rejections?: number | undefined
        /** Share of the last intents, 0.01–1. Default: 0.5. */
        readonly rejectionShare?: number | undefined
      }
    | undefined
  /** Days that delivered rows are kept. Default: 7. */
  readonly deliveredRetentionDays?: number | undefined
}

export type ResolvedWorkspace = z.output<typeof workspaceSchema>
export type ResolvedRelayOptions = Omit<z.output<typeof relayOptionsSchema>, 'customerio' | 'workspaces'> & {
  readonly workspaces: Readonly<Record<string, ResolvedWorkspace>>
}

/** A relay's setting is wrong: "Expected lanes to be …, got …". */
export class InvalidSettingError extends Error {
  override readonly name = 'InvalidSettingError'
  readonly code = 'INVALID_SETTING'
}

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

/** @throws InvalidSettingError for the first thing that is wrong, or where there is no workspace. */
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
