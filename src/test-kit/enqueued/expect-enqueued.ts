import { AssertionError } from 'node:assert'
import type { Operation } from '../../intent/intent.ts'
import { diffOf, textOf } from './diff.ts'
import type { EnqueuedIntent, PartialIntent } from './enqueued-intent.ts'
import { asStored, countDifferences, isContainer, isMatcher, matches, namesOf, memberOf } from './match.ts'
import { type EnqueuedOptions, type Reading, readEnqueued } from './read-enqueued.ts'
import type { IntentSource } from './source.ts'

/** The most intents that a message lists. */
const MAX_LISTED = 10

/**
 * Asserts that an intent with these values is enqueued. If there is none, the error shows the intent that differs least.
 *
 * `partial` may leave out any field, also of nested objects. An array must be complete. Matchers such as
 * `expect.any(Number)` of vitest and Jest are accepted in place of a value.
 *
 * @param source The transaction that was passed to `enqueue`: only its own intents count. Given a handle of the database
 *   instead, the committed intents in the queue count. See `enqueued`.
 * @param partial Values of the intent and its columns, such as `dedupKey`.
 * @param options The schema's name.
 * @returns the first intent that has the values.
 * @throws AssertionError of `node:assert` if no intent has them.
 *
 * @example
 * ```ts
 * import { expectEnqueued } from 'customerio-outbox/testing'
 *
 * await db.transaction(async (tx) => {
 *   // … the code under test …
 *   await expectEnqueued(tx, { operation: 'track', customerId: 'u1', name: 'order_placed', data: { total: 99 } })
 * })
 * ```
 */
export async function expectEnqueued<O extends Operation = Operation>(
  source: IntentSource,
  partial: PartialIntent<O> & { readonly operation?: O },
  options: EnqueuedOptions = {},
): Promise<EnqueuedIntent<O>> {
  const reading = await readEnqueued(source, options)
  const expected = asStored(partial) as object
  const found = reading.intents.find((intent) => matches(intent, expected))
  if (found) return found as EnqueuedIntent<O>
  const nearest = nearestOf(reading.intents, expected)
  throw new AssertionError({
    message: nearest === undefined ? nothingFound(reading, expected) : missed(reading, nearest, expected),
    actual: nearest === undefined ? undefined : part(nearest, expected),
    expected,
    operator: 'expectEnqueued',
    stackStartFn: expectEnqueued,
  })
}

/**
 * Asserts that no intent, or none with these values, is enqueued.
 *
 * @param source A transaction, or a handle of the database. See `expectEnqueued`.
 * @param partial Only intents with these values count. Default: every intent.
 * @param options The schema's name.
 * @returns when nothing was found.
 * @throws AssertionError of `node:assert` that lists what was found.
 *
 * @example
 * ```ts
 * import { expectNothingEnqueued } from 'customerio-outbox/testing'
 *
 * await db.transaction(async (tx) => {
 *   // … the code under test …
 *   await expectNothingEnqueued(tx, { operation: 'sendEmail' })
 * })
 * ```
 */
export async function expectNothingEnqueued<O extends Operation = Operation>(
  source: IntentSource,
  partial?: PartialIntent<O> & { readonly operation?: O },
  options: EnqueuedOptions = {},
): Promise<void> {
  const reading = await readEnqueued(source, options)
  const expected = asStored(partial ?? {}) as object
  const found = reading.intents.filter((intent) => matches(intent, expected))
  if (found.length === 0) return
  const like = Object.keys(expected).length === 0 ? '' : ` like ${textOf(expected)}`
  throw new AssertionError({
    message: `Expected ${placeOf(reading)} to have no intent${like}, got ${found.length}:\n${listOf(found)}`,
    actual: found,
    expected: [],
    operator: 'expectNothingEnqueued',
    stackStartFn: expectNothingEnqueued,
  })
}

/** The intent with the fewest differences; among equals one of the expected operation, then the first. */
function nearestOf(intents: readonly EnqueuedIntent[], expected: object): EnqueuedIntent | undefined {
  const operation = memberOf(expected, 'operation')
  const rated = intents.map((intent) => ({
    intent,
    differences: countDifferences(intent, expected) + (intent.operation === operation ? 0 : 0.5),
  }))
  return rated.sort((a, b) => a.differences - b.differences)[0]?.intent
}

function missed({ intents, ...reading }: Reading, nearest: EnqueuedIntent, expected: object): string {
  const others = intents.length === 1 ? 'another one' : `${intents.length} others. The nearest of them`
  return [
    `Expected ${placeOf(reading)} to have an intent with these values, got ${others}:`,
    '',
    '- expected',
    '+ enqueued',
    '',
    diffOf(nearest, expected),
  ].join('\n')
}

function nothingFound({ scope }: Reading, expected: object): string {
  const check =
    scope === 'stored'
      ? 'Check that enqueue was awaited, and that it got this transaction'
      : 'Check that the transaction was committed, and that no relay has delivered the intent'
  return `Expected ${placeOf({ scope })} to have an intent like ${textOf(expected)}, got none. ${check}`
}

function placeOf({ scope }: Pick<Reading, 'scope'>): string {
  return scope === 'stored' ? 'the transaction' : 'the queue'
}

function listOf(intents: readonly EnqueuedIntent[]): string {
  const lines = intents.slice(0, MAX_LISTED).map((intent, index) => `  ${index + 1}. ${textOf(intent)}`)
  const more = intents.length - MAX_LISTED
  return [...lines, ...(more > 0 ? [`  … ${more} more`] : [])].join('\n')
}

/** The values of `found` at the places of `expected`, so that the diff of a test runner shows no others. */
function part(found: unknown, expected: unknown): unknown {
  if (!isContainer(expected) || !isContainer(found) || isMatcher(expected)) return found
  if (Array.isArray(found) || Array.isArray(expected)) return found
  const names = namesOf(found, expected).filter((name) => Object.hasOwn(found, name))
  return Object.fromEntries(
    names.map((name) => [name, part(memberOf(found, name), memberOf(expected, name))]),
  )
}
