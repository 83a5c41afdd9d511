import { z } from 'zod'
import { credentialProblem } from '../../customerio/credentials.ts'
import { WrongKeyError } from '../../encryption/encryption-key.ts'
import { keyRingOf } from '../../encryption/key-ring.ts'
import { namesOf } from '../../store/names.ts'
import { SettingError } from '../errors.ts'
import { keepSecret } from '../output/redact.ts'

const POSTGRES_URL = 'postgres://user:password@host:5432/database'

/** A whole number given as text. */
export function wholeNumber(name: string, min: number, max: number) {
  const error = (got: unknown) =>
    `Expected ${name} to be a whole number from ${min} to ${max}, got ${show(got)}`
  return number(error, (value) => Number.isInteger(value) && value >= min && value <= max)
}

/** A number of seconds given as text; the result is in whole milliseconds. */
export function seconds(name: string, min: number, max: number) {
  const error = (got: unknown) =>
    `Expected ${name} to be a number of seconds from ${min} to ${max}, got ${show(got)}`
  return number(error, (value) => value >= min && value <= max).transform((value) =>
    Math.round(value * 1_000),
  )
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

/** A duration given as text, such as `500ms`, `50s`, `2m`, or a number of seconds; the result is in whole milliseconds. */
export function duration(name: string, min: string, max: string) {
  const least = toMilliseconds(min)
  const most = toMilliseconds(max)
  return z
    .unknown()
    .refine((value) => toMilliseconds(value) >= least && toMilliseconds(value) <= most, {
      error: ({ input }) =>
        `Expected ${name} to be a duration from ${min} to ${max}, such as 50s, got ${show(input)}`,
    })
    .transform(toMilliseconds)
}

/** Not a number if the text is no duration. */
function toMilliseconds(value: unknown): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(String(value)) ?? []
  return number === '' ? Number.NaN : Math.round(Number(number) * (UNITS[unit] ?? Number.NaN))
}

/** A number, such as a share of a whole, given as text. */
export function share(name: string, min: number, max: number) {
  const error = (got: unknown) => `Expected ${name} to be a number from ${min} to ${max}, got ${show(got)}`
  return number(error, (value) => value >= min && value <= max)
}

function number(error: (got: unknown) => string, isValid: (value: number) => boolean) {
  return z
    .unknown()
    .refine((value) => /^\d+(\.\d+)?$/.test(String(value)) && isValid(Number(value)), {
      error: ({ input }) => error(input),
    })
    .transform(Number)
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing'
}

const origin = (name: string) =>
  z
    .url({
      protocol: /^https?$/,
      error: `Expected ${name} to be an http or https origin, such as http://127.0.0.1:8099`,
    })
    .optional()

/** A secret: its error names the variable and never quotes the value. */
const credential = (name: string) =>
  z
    .string()
    .refine((value) => credentialProblem(value) === undefined, {
      error: ({ input }) =>
        `Expected ${name} to be a credential of Customer.io, got a text that ${credentialProblem(String(input))}`,
    })
    .optional()

const text = (missing: string) => z.string({ error: missing }).min(1, { error: missing })

const DESTINATION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\/(track|app|broadcast|pipelines)$/
const PATTERN = /^[A-Za-z0-9_/*-]*\*[A-Za-z0-9_/*-]*$/

/** Destinations, `<workspace>/<api>`, and patterns of them with `*`. */
export const destinations = z.array(
  z.string().refine((value) => DESTINATION.test(value) || PATTERN.test(value), {
    error: ({ input }) =>
      `Expected <destination> to be <workspace>/<api>, with api one of track, app, broadcast, pipelines, such as default/track, or a quoted pattern such as 'default/*', got ${show(input)}`,
  }),
)

/** Every setting of the environment, with its error. Errors of addresses and keys do not quote the value. */
export const settings = {
  databaseUrl: text(`DATABASE_URL is not set: set it, or pass --database-url, as ${POSTGRES_URL}`).refine(
    isPostgresUrl,
    {
      error: `Expected DATABASE_URL (or --database-url) to be the URL of a Postgres database, such as ${POSTGRES_URL}`,
    },
  ),
  listenUrl: z
    .string()
    .refine(isPostgresUrl, {
      error: `Expected OUTBOX_LISTEN_URL (or --listen-url) to be the URL of a Postgres database, such as ${POSTGRES_URL}`,
    })
    .optional(),
  schema: z
    .string()
    .optional()
    .refine(isSchemaName, {
      error: ({ input }) =>
        `Expected OUTBOX_SCHEMA (or --schema) to be a lower-case identifier of 1 to 40 characters, got ${show(input)}`,
    }),
  config: z.string().optional(),
  siteId: credential('CUSTOMERIO_SITE_ID'),
  trackApiKey: credential('CUSTOMERIO_TRACK_API_KEY'),
  appApiKey: credential('CUSTOMERIO_APP_API_KEY'),
  pipelinesWriteKey: credential('CUSTOMERIO_PIPELINES_WRITE_KEY'),
  encryptionKeys: z
    .string()
    .check(({ value, issues }) => {
      try {
        keyRingOf(value)
      } catch (error) {
        if (!(error instanceof WrongKeyError)) throw error
        const message = `Expected OUTBOX_ENCRYPTION_KEYS ${error.expected}, got ${error.got}`
        issues.push({ code: 'custom', input: undefined, message })
      }
    })
    .optional(),
  region: z
    .enum(['us', 'eu'], {
      error: ({ input }) => `Expected CUSTOMERIO_REGION to be us or eu, got ${show(input)}`,
    })
    .optional(),
  trackUrl: origin('CUSTOMERIO_TRACK_URL'),
  appUrl: origin('CUSTOMERIO_APP_URL'),
  pipelinesUrl: origin('CUSTOMERIO_PIPELINES_URL'),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: ({ input }) =>
        `Expected LOG_LEVEL to be one of fatal, error, warn, info, debug, trace, silent, got ${show(input)}`,
    })
    .optional(),
} as const

/** The environment variable of each setting. A flag of the same name wins over it. */
const ENVIRONMENT: Readonly<Record<keyof typeof settings, string>> = {
  databaseUrl: 'DATABASE_URL',
  listenUrl: 'OUTBOX_LISTEN_URL',
  schema: 'OUTBOX_SCHEMA',
  config: 'OUTBOX_CONFIG',
  siteId: 'CUSTOMERIO_SITE_ID',
  trackApiKey: 'CUSTOMERIO_TRACK_API_KEY',
  appApiKey: 'CUSTOMERIO_APP_API_KEY',
  pipelinesWriteKey: 'CUSTOMERIO_PIPELINES_WRITE_KEY',
  encryptionKeys: 'OUTBOX_ENCRYPTION_KEYS',
  region: 'CUSTOMERIO_REGION',
  trackUrl: 'CUSTOMERIO_TRACK_URL',
  appUrl: 'CUSTOMERIO_APP_URL',
  pipelinesUrl: 'CUSTOMERIO_PIPELINES_URL',
  logLevel: 'LOG_LEVEL',
}

/**
 * Reads the settings that `shape` names: flags win over the environment, and an empty variable counts as not set.
 *
 * @throws SettingError with every wrong setting, in one line.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  flags: Readonly<Record<string, unknown>>,
): z.output<z.ZodObject<Shape>> {
  const given: Record<string, unknown> = { ...flags }
  for (const [setting, variable] of Object.entries(ENVIRONMENT))
    given[setting] ??= process.env[variable] || undefined
  for (const key of [given.trackApiKey, given.appApiKey, given.pipelinesWriteKey]) keepSecret(key)
  keepKeys(given.encryptionKeys)
  for (const url of [given.databaseUrl, given.listenUrl])
    for (const password of passwordsOf(url)) keepSecret(password)
  const result = z.object(shape).safeParse(given)
  if (result.success) return result.data
  throw new SettingError(result.error.issues.map((issue) => issue.message).join('; '))
}

/** Registers each key of a ring as a secret, also if the ring is wrong. */
function keepKeys(ring: unknown): void {
  if (typeof ring !== 'string') return
  for (const part of ring.split(/[,:\s]/)) if (part.length > 40) keepSecret(part)
}

/** A URL's password, as written and decoded, and that of its query. */
function passwordsOf(url: unknown): string[] {
  if (typeof url !== 'string' || !URL.canParse(url)) return []
  const { password, searchParams } = new URL(url)
  try {
    return [password, decodeURIComponent(password), searchParams.get('password') ?? '']
  } catch {
    return [password]
  }
}

function isPostgresUrl(url: string): boolean {
  return URL.canParse(url) && ['postgres:', 'postgresql:', 'socket:'].includes(new URL(url).protocol)
}

function isSchemaName(schema: string | undefined): boolean {
  try {
    namesOf(schema)
    return true
  } catch {
    return false
  }
}
