import { CommanderError } from 'commander'
import { InvalidIntentError } from '../intent/errors.ts'
import { InvalidSettingError } from '../relay/options.ts'
import { WrongRegionError } from '../relay/wrong-region-error.ts'
import { databaseProblemOf, innermostError, oneLine } from '../store/connection/describe-error.ts'
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

/** invalid_parameter_value: a function of the outbox refuses an argument. */
const WRONG_ARGUMENT = '22023'

/** Describes an error in one line, with the next step if it is known, and gives its exit status. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const isAnswer = error.code === 'commander.helpDisplayed' || error.code === 'commander.version'
    return { line: '', exitStatus: isAnswer ? EXIT.ok : EXIT.wrongSetting }
  }
  const cause = innermostError(error)
  if (isSettingError(error)) return { line: cause.message.trim(), exitStatus: EXIT.wrongSetting }
  const problem = databaseProblemOf(cause)
  if (problem) {
    return {
      line: `${problem.what}: ${problem.next}`,
      exitStatus: problem.kind === 'unreachable' ? EXIT.failed : EXIT.wrongSetting,
    }
  }
  const message = oneLine(cause.message || cause.code || 'unknown error').replace(/^outbox: /, '')
  const line = [message, cause.hint].filter(Boolean).join(': ')
  return { line, exitStatus: cause.code === WRONG_ARGUMENT ? EXIT.wrongSetting : EXIT.failed }
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
