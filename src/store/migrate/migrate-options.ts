import { kindOf } from '../../intent/describe.ts'
import { checkOptionNames, failOption } from '../../intent/option-checks.ts'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import { type WantedPlan, wantedPlan } from './event-plan.ts'
import type { LockWaiting } from './locked-error.ts'
import { wantedEncryption } from './required-encryption.ts'

/**
 * The options of `migrate` and `migrationScript`.
 *
 * @example
 * ```ts
 * import type { MigrateOptions } from 'customerio-outbox/relay'
 *
 * const options: MigrateOptions = { connectionString, lockWaitMs: 60_000, onWait: console.warn }
 * ```
 */
export interface MigrateOptions extends LockWaiting {
  /** The URL of the database, such as `postgres://user:password@host:5432/database`. */
  readonly connectionString: string
  /**
   * The outbox's schema: a lower-case identifier of 1 to 40 characters.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * The tracking plan that callers of the SQL functions are held to: its names and required fields are installed. Null
   * removes the installed plan.
   *
   * @default undefined: the installed plan, if there is one, stays
   */
  readonly events?: EventPlan | null | undefined
  /**
   * Whether an event whose name is not in `events` is refused. If false, it is stored, and the caller gets a WARNING. Only
   * with `events`.
   *
   * @default true
   */
  readonly strict?: boolean | undefined
  /**
   * The workspaces that take encrypted payloads only: a call that would store a readable payload fails. `true` stands for all
   * workspaces, `false` for none.
   *
   * @default undefined: what is installed stays
   */
  readonly requireEncryption?: boolean | readonly string[] | undefined
}

/** What `migrate` installs beside the migrations. */
export interface Wanted {
  /** Undefined if the installed tracking plan stays. */
  readonly plan: WantedPlan | undefined
  /** Undefined if the installed requirement stays. */
  readonly encrypted: readonly string[] | undefined
}

const KNOWN = [
  'connectionString',
  'schema',
  'lockWaitMs',
  'onWait',
  'events',
  'strict',
  'requireEncryption',
] as const

/** Checks the options before a connection is opened. Without an address, pg would connect to localhost. */
export function checkMigrateOptions(options: unknown): Wanted {
  const given = checkOptionNames(options, KNOWN, 'the options of migrate')
  const { connectionString, schema, lockWaitMs, onWait, events, strict, requireEncryption } = given
  const fail = (option: string, expected: string, value: unknown): never =>
    failOption(
      option,
      expected,
      value === undefined ? 'nothing' : value === '' ? 'an empty string' : kindOf(value),
      option,
    )
  if (typeof connectionString !== 'string' || connectionString === '')
    fail(
      'connectionString',
      'to be a URL such as postgres://user:password@host:5432/database',
      connectionString,
    )
  if (schema !== undefined && typeof schema !== 'string') fail('schema', 'to be a string', schema)
  if (lockWaitMs !== undefined && !(typeof lockWaitMs === 'number' && lockWaitMs >= 0))
    fail('lockWaitMs', 'to be a number of milliseconds, 0 or more', lockWaitMs)
  if (onWait !== undefined && typeof onWait !== 'function')
    fail('onWait', 'to be a function (message) => void', onWait)
  if (strict !== undefined && typeof strict !== 'boolean') fail('strict', 'to be true or false', strict)
  if (strict !== undefined && events == null) fail('strict', 'to be given with events', events)
  return {
    plan:
      events === undefined
        ? undefined
        : wantedPlan(events as EventPlan | null, strict as boolean | undefined),
    encrypted: wantedEncryption(requireEncryption),
  }
}
