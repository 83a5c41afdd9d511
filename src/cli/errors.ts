import { CommanderError } from 'commander'
import { InvalidSettingError } from '../relay/options.ts'
import { WrongRegionError } from '../relay/wrong-region-error.ts'
import { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import { SchemaVersionError } from '../store/migrate/schema-version.ts'

/** Exit statuses of every command. */
export const EXIT = { ok: 0, failed: 1, wrongSetting: 2 } as const

/**
 * A setting is missing or wrong; the message says what to set, and never what a secret was set to. A line for each,
 * where there are several.
 */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

export interface Failure {
  /** For stderr: one line, or one for each wrong setting; empty where everything has been said. */
  readonly line: string
  readonly exitStatus: number
}

/** Codes of pg and of Node that mean: no connection to the database. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOENT', // a Unix socket that is not there
  'EAI_AGAIN',
  '53300', // too many connections
  '57P03', // starting up, or shutting down
])
const WRONG_DATABASE = new Set(['ENOTFOUND', '28000', '28P01', '3D000'])
const NOT_MIGRATED = new Set(['3F000', '42P01', '42883'])
const NO_RIGHT = '42501'

/** What went wrong, in one line, and the exit status for it. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const helped = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    return { line: '', exitStatus: helped ? EXIT.ok : EXIT.wrongSetting } // commander has said it
  }
  const cause = innermost(error)
  const message = oneLine(cause.message || cause.code || 'unknown error')
  const setting =
    error instanceof SettingError ||
    error instanceof SchemaVersionError ||
    error instanceof CopiedDatabaseError ||
    error instanceof InvalidSettingError ||
    error instanceof WrongRegionError
  if (setting) return { line: cause.message.trim(), exitStatus: EXIT.wrongSetting }
  const code = cause.code ?? ''
  if (WRONG_DATABASE.has(code)) {
    return {
      line: `cannot connect to the database: ${message}: check DATABASE_URL`,
      exitStatus: EXIT.wrongSetting,
    }
  }
  if (UNREACHABLE.has(code) || /connection timeout|Connection terminated/.test(message)) {
    const hint = 'is it running, and is DATABASE_URL right?'
    return { line: `cannot connect to the database: ${message}: ${hint}`, exitStatus: EXIT.failed }
  }
  if (NOT_MIGRATED.has(code)) {
    const line = `${message}: run \`customerio-outbox migrate\`, or set OUTBOX_SCHEMA to the schema that was migrated`
    return { line, exitStatus: EXIT.wrongSetting }
  }
  if (code === NO_RIGHT) {
    const line = `${message}: grant the database user the role for this command, see "Roles" in docs/operations.md`
    return { line, exitStatus: EXIT.wrongSetting }
  }
  return { line: message, exitStatus: EXIT.failed }
}

/** Prints the failure to stderr, with its stack where LOG_LEVEL asks for details; returns the exit status. */
export function reportFailure(error: unknown): number {
  const { line, exitStatus } = describeFailure(error)
  if (line !== '') console.error(redact(line.replace(/^/gm, 'customerio-outbox: ')))
  if (['debug', 'trace'].includes(process.env.LOG_LEVEL ?? '') && error instanceof Error && line !== '') {
    console.error(redact(error.stack ?? ''))
  }
  return exitStatus
}

const secrets = new Set<string>()

/** Keeps a value out of everything that is reported. Short ones are left: they would take words apart. */
export function keepSecret(value: unknown): void {
  if (typeof value === 'string' && value.length >= 8) secrets.add(value)
}

export function redact(text: string): string {
  let redacted = text
  for (const secret of secrets) redacted = redacted.replaceAll(secret, '***')
  return redacted
}

/** An AggregateError of a host with several addresses says nothing itself; Drizzle's says the parameters. */
function innermost(error: unknown): Error & { code?: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  if (error instanceof Error && error.name === 'DrizzleQueryError' && error.cause)
    return innermost(error.cause)
  return error instanceof Error ? error : new Error(String(error))
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
