import { z } from 'zod'
import { credentialProblem } from '../customerio/credentials.ts'
import { WrongKeyError } from '../encryption/encryption-key.ts'
import { type KeyRing, keyRingOf } from '../encryption/key-ring.ts'
import type { Operation } from '../intent/intent.ts'
import { OPERATIONS } from '../intent/operations.ts'
import { describeSetting } from './describe-setting.ts'
import type { DrainOptions } from './drain/drain-options.ts'
import {
  InvalidSettingError,
  type RelayEncryption,
  type RelayOptions,
  type WorkspaceOptions,
} from './options.ts'

/** The messages of these schemas begin with `to `, because they continue `Expected <name of the setting> …`. */

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

const ON_DEAD = "to be 'continue', 'hold', or an object of them by operation, such as { identify: 'hold' }"
const onDeadChoice = z.enum(['continue', 'hold'], { error: "to be 'continue' or 'hold'" }).optional()
const onDead = z
  .union(
    [
      onDeadChoice,
      z.strictObject({
        default: onDeadChoice,
        ...(Object.fromEntries(OPERATIONS.map((operation) => [operation, onDeadChoice])) as Record<
          Operation,
          typeof onDeadChoice
        >),
      }),
    ],
    { error: ON_DEAD },
  )
  .optional()

/**
 * A zod issue with a description of what was found. The message of the error shows the description instead of the value.
 *
 * @param expected Begins with `to `.
 * @param got The description. It quotes nothing of a secret.
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
    deliveredPayloads: z.enum(['drop', 'keep']).optional(),
    deliveredPayloadDays: whole(1, 3_653).optional(),
    onDead,
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
    if (value.deliveredPayloadDays !== undefined && value.deliveredPayloads !== 'keep') {
      const expected = 'to have deliveredPayloads "keep" if it has deliveredPayloadDays'
      issues.push(
        failed(
          value,
          expected,
          `deliveredPayloads ${value.deliveredPayloads === 'drop' ? '"drop"' : 'not set'}`,
        ),
      )
    }
    if ((siteId ?? trackApiKey ?? appApiKey ?? pipelinesWriteKey) !== undefined) return
    const expected = 'to have siteId and trackApiKey, appApiKey, or pipelinesWriteKey'
    issues.push(failed(value, expected, 'none of them'))
  })

const FIND = 'to be a function (id) => key'

/** No message quotes a key. */
const encryptionSchema = z
  .strictObject({
    keys: z.unknown().optional(),
    find: z
      .custom<NonNullable<RelayEncryption['find']>>((find) => typeof find === 'function', FIND)
      .optional(),
  })
  .check(({ value, issues }) => {
    if (value.find !== undefined) {
      if (value.keys !== undefined) issues.push(failed(undefined, 'to have keys or find', 'both'))
      return
    }
    try {
      keyRingOf(value.keys)
    } catch (error) {
      if (!(error instanceof WrongKeyError)) throw error
      issues.push({ ...failed(undefined, error.expected, error.got), path: ['keys'] })
    }
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

const relayOptionsSchema = z.strictObject({
  connectionString: address,
  listenConnectionString: address.optional(),
  schema: z.string().optional(),
  customerio: workspaceSchema.optional(),
  workspaces: workspacesSchema.optional(),
  encryption: encryptionSchema.optional(),
  checkRegion: z.boolean().default(true),
  acceptCopy: z.boolean().default(false),
  workers: whole(1, 64).default(16),
  connections: whole(2, 50).default(6),
  pollIntervalMs: ms(50, 60_000).default(1_000),
  requestTimeoutMs: ms(100, 120_000).default(10_000),
  batchSize: whole(1, 2_000).default(1_000),
  retry: z
    .strictObject({
      maxRetries: whole(0, 5).default(2),
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

const drainOptionsSchema = relayOptionsSchema.extend({
  forMs: ms(100, 900_000).default(50_000),
  signal: z.custom<AbortSignal>(isSignal, 'to be an AbortSignal').optional(),
  observe: z
    .custom<NonNullable<DrainOptions['observe']>>((value) => typeof value === 'function', 'to be a function')
    .optional(),
})

/** Where the keys of encrypted payloads come from. */
export type KeySource = { readonly ring: KeyRing } | { readonly find: NonNullable<RelayEncryption['find']> }

export type ResolvedWorkspace = z.output<typeof workspaceSchema>
type RelaySettings = z.output<typeof relayOptionsSchema>
export type ResolvedRelayOptions = Omit<RelaySettings, 'customerio' | 'workspaces' | 'encryption'> & {
  readonly workspaces: Readonly<Record<string, ResolvedWorkspace>>
  readonly encryption: KeySource | undefined
}
/** The options of a drain, with those of its relay apart. */
export type ResolvedDrainOptions = Omit<z.output<typeof drainOptionsSchema>, keyof RelaySettings> & {
  readonly relay: ResolvedRelayOptions
}

/**
 * Checks a relay's options and fills in the defaults.
 *
 * @throws InvalidSettingError for the first setting that is wrong, or if there is no workspace.
 */
export function resolveRelayOptions(options: RelayOptions): ResolvedRelayOptions {
  return withWorkspaces(checked(relayOptionsSchema, options, 'the relay options'))
}

/**
 * Checks the options of a drain and fills in the defaults.
 *
 * @throws InvalidSettingError for the first setting that is wrong, or if there is no workspace.
 */
export function resolveDrainOptions(options: DrainOptions): ResolvedDrainOptions {
  const { forMs, signal, observe, ...relay } = checked(drainOptionsSchema, options, 'the drain options')
  return { forMs, signal, observe, relay: withWorkspaces(relay) }
}

/** Also for a signal of another realm, as in tests of Jest. */
function isSignal(value: unknown): boolean {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function'
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  whole: string,
): z.output<Schema> {
  const result = schema.safeParse(options)
  if (result.success) return result.data
  throw new InvalidSettingError(describeSetting(result.error, schema, options, [], whole))
}

/** Makes the workspace `default` of `customerio`. */
function withWorkspaces({
  customerio,
  workspaces,
  encryption,
  ...settings
}: RelaySettings): ResolvedRelayOptions {
  const all = { ...(customerio ? { default: customerio } : {}), ...workspaces }
  if (Object.keys(all).length > 0) {
    return { ...settings, workspaces: all, encryption: encryption && keySourceOf(encryption) }
  }
  throw new InvalidSettingError(
    'Expected customerio or workspaces to have the credentials of a workspace, got none',
  )
}

function keySourceOf({ keys, find }: z.output<typeof encryptionSchema>): KeySource {
  return find === undefined ? { ring: keyRingOf(keys) } : { find }
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
