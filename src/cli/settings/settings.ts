import { z } from 'zod'
import { credentialProblem } from '../../customerio/credentials.ts'
import { namesOf } from '../../store/names.ts'
import { SettingError } from '../errors.ts'
import { keepSecret } from '../output/redact.ts'

const POSTGRES_URL = 'postgres://user:password@host:5432/database'

/** A whole number given as text. */
export function wholeNumber(name: string, min: number, max: number) {
  const error = (got: unknown) => `${name} must be a whole number from ${min} to ${max}, got ${show(got)}`
  return number(error, (value) => Number.isInteger(value) && value >= min && value <= max)
}

/** A number of seconds given as text; becomes whole milliseconds. */
export function seconds(name: string, min: number, max: number) {
  const error = (got: unknown) => `${name} must be seconds from ${min} to ${max}, got ${show(got)}`
  return number(error, (value) => value >= min && value <= max).transform((value) =>
    Math.round(value * 1_000),
  )
}

/** A share of a whole given as text. */
export function share(name: string, min: number, max: number) {
  const error = (got: unknown) => `${name} must be a share from ${min} to ${max}, got ${show(got)}`
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
      error: `${name} must be an http or https origin, such as http://127.0.0.1:8099`,
    })
    .optional()

/** The error names the variable, and quotes nothing of its value. */
const credential = (name: string) =>
  z
    .string()
    .refine((value) => credentialProblem(value) === undefined, {
      error: ({ input }) => `${name} ${credentialProblem(String(input))}`,
    })
    .optional()

const text = (missing: string) => z.string({ error: missing }).min(1, { error: missing })

/** A destination as people and the SQL functions name it. */
export const destination = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\/(track|app|broadcast|pipelines)$/, {
    error: ({ input }) =>
      `<destination> must be <workspace>/<api> with api one of track, app, broadcast, pipelines, such as default/track, got ${show(input)}`,
  })

/** Every setting of the environment, each with the one line that says what to set. */
export const settings = {
  databaseUrl: text(`DATABASE_URL is not set: set it, or pass --database-url, as ${POSTGRES_URL}`).refine(
    isPostgresUrl,
    {
      error: `DATABASE_URL is not the URL of a Postgres database: set it, or pass --database-url, as ${POSTGRES_URL}`,
    },
  ),
  listenUrl: z
    .string()
    .refine(isPostgresUrl, {
      error: `OUTBOX_LISTEN_URL (or --listen-url) is not the URL of a Postgres database, such as ${POSTGRES_URL}`,
    })
    .optional(),
  schema: z
    .string()
    .optional()
    .refine(isSchemaName, {
      error: ({ input }) =>
        `OUTBOX_SCHEMA (or --schema) must be a lower-case identifier of 1 to 40 characters, got ${show(input)}`,
    }),
  config: z.string().optional(),
  siteId: credential('CUSTOMERIO_SITE_ID'),
  trackApiKey: credential('CUSTOMERIO_TRACK_API_KEY'),
  appApiKey: credential('CUSTOMERIO_APP_API_KEY'),
  pipelinesWriteKey: credential('CUSTOMERIO_PIPELINES_WRITE_KEY'),
  region: z
    .enum(['us', 'eu'], { error: ({ input }) => `CUSTOMERIO_REGION must be us or eu, got ${show(input)}` })
    .optional(),
  trackUrl: origin('CUSTOMERIO_TRACK_URL'),
  appUrl: origin('CUSTOMERIO_APP_URL'),
  pipelinesUrl: origin('CUSTOMERIO_PIPELINES_URL'),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: ({ input }) =>
        `LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, got ${show(input)}`,
    })
    .default('info'),
} as const

/** Environment variable of each setting; a flag of the same name wins over it. */
const ENVIRONMENT: Readonly<Record<keyof typeof settings, string>> = {
  databaseUrl: 'DATABASE_URL',
  listenUrl: 'OUTBOX_LISTEN_URL',
  schema: 'OUTBOX_SCHEMA',
  config: 'OUTBOX_CONFIG',
  siteId: 'CUSTOMERIO_SITE_ID',
  trackApiKey: 'CUSTOMERIO_TRACK_API_KEY',
  appApiKey: 'CUSTOMERIO_APP_API_KEY',
  pipelinesWriteKey: 'CUSTOMERIO_PIPELINES_WRITE_KEY',
  region: 'CUSTOMERIO_REGION',
  trackUrl: 'CUSTOMERIO_TRACK_URL',
  appUrl: 'CUSTOMERIO_APP_URL',
  pipelinesUrl: 'CUSTOMERIO_PIPELINES_URL',
  logLevel: 'LOG_LEVEL',
}

/**
 * Puts flags over the environment and checks the settings that `shape` names. An empty variable counts as one
 * that is not set.
 *
 * @throws SettingError with everything that is wrong, in one line.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  flags: Readonly<Record<string, unknown>>,
): z.output<z.ZodObject<Shape>> {
  const given: Record<string, unknown> = { ...flags }
  for (const [setting, variable] of Object.entries(ENVIRONMENT))
    given[setting] ??= process.env[variable] || undefined
  for (const key of [given.trackApiKey, given.appApiKey, given.pipelinesWriteKey]) keepSecret(key)
  for (const url of [given.databaseUrl, given.listenUrl])
    for (const password of passwordsOf(url)) keepSecret(password)
  const result = z.object(shape).safeParse(given)
  if (result.success) return result.data
  throw new SettingError(result.error.issues.map((issue) => issue.message).join('; '))
}

/** A URL's password as it is written there, and as it is meant. */
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
