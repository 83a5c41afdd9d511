import { isConnectionError } from './connection-error.ts'

const WRONG_DATABASE = new Set(['ENOTFOUND', '28000', '28P01', '3D000'])
const NOT_MIGRATED = new Set(['3F000', '42P01', '42883'])
const NO_RIGHT = '42501'

/** A problem with the database whose cause and next step are known. */
export interface DatabaseProblem {
  readonly kind: 'wrong database' | 'unreachable' | 'not migrated' | 'no right'
  readonly what: string
  readonly next: string
}

/** Describes an error of the database. Undefined if its next step is not known. */
export function databaseProblemOf(error: unknown): DatabaseProblem | undefined {
  const cause = innermostError(error)
  const message = oneLine(cause.message || cause.code || 'unknown error')
  const code = cause.code ?? ''
  if (WRONG_DATABASE.has(code)) {
    return {
      kind: 'wrong database',
      what: `cannot connect to the database: ${message}`,
      next: 'check DATABASE_URL',
    }
  }
  if (isConnectionError(cause)) {
    return {
      kind: 'unreachable',
      what: `cannot connect to the database: ${message}`,
      next: 'check that it is running and that DATABASE_URL is right',
    }
  }
  if (NOT_MIGRATED.has(code)) {
    return {
      kind: 'not migrated',
      what: message,
      next: 'run `customerio-outbox migrate`, or set OUTBOX_SCHEMA to the migrated schema',
    }
  }
  if (code === NO_RIGHT) {
    return {
      kind: 'no right',
      what: message,
      next: 'grant the database user the role for this command, see "Roles" in docs/operations.md',
    }
  }
  return undefined
}

/**
 * The error to describe. Node.js wraps the errors of a host with several addresses in an AggregateError without a message of
 * its own. Drizzle wraps pg's error in one whose message quotes the parameters.
 */
export function innermostError(error: unknown): Error & { code?: string; hint?: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return innermostError(error.errors[0])
  if (error instanceof Error && error.name === 'DrizzleQueryError' && error.cause)
    return innermostError(error.cause)
  return error instanceof Error ? error : new Error(String(error))
}

export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
