import { CommanderError } from 'commander'
import { InvalidIntentError } from '../intent/errors.ts'
import { InvalidSettingError } from '../relay/options.ts'
import { WrongRegionError } from '../relay/wrong-region-error.ts'
import { isConnectionError } from '../store/connection/connection-error.ts'
import { SchemaVersionError } from '../store/migrate/schema-version-error.ts'
import { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import { redact } from './output/redact.ts'

/** Exit statuses of every command. `timeIsUp` and `stopped` are those of `drain`, if intents are left. */
export const EXIT = { ok: 0, failed: 1, wrongSetting: 2, timeIsUp: 3, stopped: 4 } as const

/**
 * A setting is missing or wrong. The message says what to set, one line per setting, and never quotes a secret.
 */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

export interface Failure {
  /** For stderr: one line, or one per wrong setting; empty if commander has printed the error. */
  readonly line: string
  readonly exitStatus: number
}

const WRONG_DATABASE = new Set(['ENOTFOUND', '28000', '28P01', '3D000'])
const NOT_MIGRATED = new Set(['3F000', '42P01', '42883'])
const NO_RIGHT = '42501'
/** invalid_parameter_value: a function of the outbox refuses an argument. */
const WRONG_ARGUMENT = '22023'

/** Describes an error in one line, with the next step if it is known, and gives its exit status. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const isAnswer = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    return { line: '', exitStatus: isAnswer ? EXIT.ok : EXIT.wrongSetting }
  }
  const cause = innermost(error)
  const message = oneLine(cause.message || cause.code || 'unknown error')
  if (isSettingError(error)) return { line: cause.message.trim(), exitStatus: EXIT.wrongSetting }
  const code = cause.code ?? ''
  if (WRONG_DATABASE.has(code)) {
    return {
      line: `cannot connect to the database: ${message}: check DATABASE_URL`,
      exitStatus: EXIT.wrongSetting,
    }
  }
  if (isConnectionError(cause)) {
    const hint = 'check that it is running and that DATABASE_URL is right'
    return { line: `cannot connect to the database: ${message}: ${hint}`, exitStatus: EXIT.failed }
  }
  if (NOT_MIGRATED.has(code)) {
    const line = `${message}: run \`customerio-outbox migrate\`, or set OUTBOX_SCHEMA to the migrated schema`
    return { line, exitStatus: EXIT.wrongSetting }
  }
  if (code === NO_RIGHT) {
    const line = `${message}: grant the database user the role for this command, see "Roles" in docs/operations.md`
    return { line, exitStatus: EXIT.wrongSetting }
  }
  const line = [message.replace(/^outbox: /, ''), cause.hint].filter(Boolean).join(': ')
  return { line, exitStatus: code === WRONG_ARGUMENT ? EXIT.wrongSetting : EXIT.failed }
}

/** Prints the error to stderr, with its stack if LOG_LEVEL is debug or trace. Returns the exit status. */
export function reportFailure(error: unknown): number {
  const { line, exitStatus } = describeFailure(error)
  if (line === '') return exitStatus
  console.error(redact(line.replace(/^/gm, 'customerio-outbox: ')))
  if (['debug', 'trace'].includes(process.env.LOG_LEVEL ?? '') && error instanceof Error) {
    console.error(redact(error.stack ?? ''))
  }
  return exitStatus
}

function isSettingError(error: unknown): boolean {
  return (
    error instanceof SettingError ||
    error instanceof SchemaVersionError ||
    error instanceof CopiedDatabaseError ||
    error instanceof InvalidSettingError ||
    error instanceof InvalidIntentError ||
    error instanceof WrongRegionError
  )
}

/**
 * The error to describe. Node.js wraps the errors of a host with several addresses in an AggregateError without a message of
 * its own. Drizzle wraps pg's error in one whose message quotes the parameters.
 */
function innermost(error: unknown): Error & { code?: string; hint?: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  if (error instanceof Error && error.name === 'DrizzleQueryError' && error.cause)
    return innermost(error.cause)
  return error instanceof Error ? error : new Error(String(error))
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
