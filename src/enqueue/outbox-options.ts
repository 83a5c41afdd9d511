import { kindOf } from '../intent/describe.ts'
import { checkOptionNames, failOption } from '../intent/option-checks.ts'
import type { PlanChecks, UnknownEvent } from '../intent/plan/check-event.ts'
import type { EventPlan } from '../intent/plan/event-schema.ts'
import { schemasOf } from '../intent/plan/plan.ts'
import { type AppEncryption, type OutboxEncryption, resolveEncryption } from './app-encryption.ts'

/** Options of {@link createOutbox}. */
export interface OutboxOptions<Events extends EventPlan = never, Strict extends boolean = true> {
  /**
   * The schema given to `customerio-outbox migrate`.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * Called with every error that `onError: 'ignore'` keeps from the caller.
   *
   * @default `process.emitWarning` with the error's message, which holds no payload.
   */
  readonly onIgnored?: ((error: Error) => void) | undefined
  /**
   * The tracking plan: a schema of zod, valibot, arktype or another library with Standard Schema for each name of an event.
   * The data of an event is checked before any SQL runs, and what its schema returns is stored.
   *
   * @default None: an event may have any name and any JSON data.
   */
  readonly events?: Events | undefined
  /**
   * Whether an event whose name is not in `events` is refused. If false, it is stored and reported to `onUnknownEvent`. Only
   * with `events`.
   *
   * @default true
   */
  readonly strict?: Strict | undefined
  /**
   * Called with every event whose name is not in `events`, with `strict: false`.
   *
   * @default `process.emitWarning`, once for each of the first 100 names. The warning does not quote the name.
   */
  readonly onUnknownEvent?: ((event: UnknownEvent) => void) | undefined
  /**
   * Encrypts the payloads of all intents before they are stored. The relays need the same keys.
   *
   * The environment is not read: pass `{ keys: process.env.OUTBOX_ENCRYPTION_KEYS }`. If the variable is not set, this is an
   * error and no outbox without encryption.
   *
   * @default undefined: payloads are stored readable
   */
  readonly encryption?: OutboxEncryption | undefined
}

export interface ResolvedOutboxOptions {
  readonly schema: string | undefined
  readonly onIgnored: (error: Error) => void
  /** Undefined without a tracking plan. */
  readonly plan: PlanChecks | undefined
  readonly encryption: AppEncryption | undefined
}

const NAMES = ['schema', 'onIgnored', 'events', 'strict', 'onUnknownEvent', 'encryption'] as const

/** @throws {InvalidOptionError} for the first wrong option. */
export function resolveOutboxOptions(options: unknown): ResolvedOutboxOptions {
  const given = checkOptionNames(options, NAMES, 'the options of createOutbox')
  const { schema, onIgnored, events, strict, onUnknownEvent, encryption } = given
  const fail = (option: string, expected: string, value: unknown) =>
    failOption(option, expected, kindOf(value), option)
  if (schema !== undefined && typeof schema !== 'string') fail('schema', 'to be a string', schema)
  if (onIgnored !== undefined && typeof onIgnored !== 'function')
    fail('onIgnored', 'to be a function (error) => void', onIgnored)
  if (strict !== undefined && typeof strict !== 'boolean') fail('strict', 'to be true or false', strict)
  if (onUnknownEvent !== undefined && typeof onUnknownEvent !== 'function')
    fail('onUnknownEvent', 'to be a function (event) => void', onUnknownEvent)
  if (events === undefined && strict !== undefined) fail('strict', 'to be given with events', events)
  if (onUnknownEvent !== undefined && (events === undefined || strict !== false))
    failOption(
      'onUnknownEvent',
      'to be given with events and strict: false',
      'another setting',
      'onUnknownEvent',
    )
  const report = onUnknownEvent as OutboxOptions['onUnknownEvent']
  return {
    schema: schema as string | undefined,
    onIgnored: (onIgnored as OutboxOptions['onIgnored']) ?? warnIgnored,
    plan:
      events === undefined
        ? undefined
        : {
            schemas: schemasOf(events),
            strict: strict !== false,
            onUnknownEvent: report ? (event) => report(event) : unknownEventWarnings(),
          },
    encryption: resolveEncryption(encryption),
  }
}

/** Calls the app's `onIgnored`. An error of it must not fail the call of `enqueue` that ignores one. */
export function report(onIgnored: (error: Error) => unknown, error: Error): void {
  const warn = () => process.emitWarning('onIgnored has thrown an error', 'CustomerioOutboxWarning')
  try {
    Promise.resolve(onIgnored(error)).catch(warn)
  } catch {
    warn()
  }
}

function warnIgnored(error: Error): void {
  process.emitWarning(`an intent was left out: ${error.message}`, 'CustomerioOutboxWarning')
}

/** The most warnings about unknown names. Names that are made from data would give one for each event. */
const MAX_WARNINGS = 100

function unknownEventWarnings(): PlanChecks['onUnknownEvent'] {
  const warned = new Set<string>()
  return ({ name, operation }, similar) => {
    if (warned.has(name) || warned.size >= MAX_WARNINGS) return
    warned.add(name)
    const meant = similar()
    const guess = meant === undefined ? '' : `, did you mean ${meant}?`
    process.emitWarning(
      `${operation}: an event has a name that is not in the tracking plan${guess} (onUnknownEvent gets the name)`,
      'CustomerioOutboxWarning',
    )
  }
}
