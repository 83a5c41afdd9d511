import { isPlainObject, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import { MAX_DEPTH } from '../limits.ts'

/**
 * A problem and its path. `keys` go from the innermost to the outermost: the walk collects them on the way back, so an
 * intent without a problem costs nothing.
 */
type Problem = {
  readonly text: string
  readonly keys: (string | number)[]
  readonly exceeds?: 'depth' | 'size'
}

/**
 * Number of values that may still be visited. A value takes one byte at least, so an intent with more values is too
 * large.
 */
type Budget = { left: number; readonly limit: number }

/**
 * Refuses values that `JSON.stringify` would change or drop, or that `jsonb` cannot hold: dates, NaN, bigint, functions,
 * class instances, holes, circular references, NUL characters, lone surrogates. An intent without such values is unchanged
 * when the relay reads it back.
 *
 * @param limit Maximum bytes of an intent of this operation.
 * @throws {InvalidIntentError} for the first such value.
 */
export function checkJson(context: ErrorContext, intent: Record<string, unknown>, limit: number): void {
  const problem = findInObject(intent, 0, { left: limit, limit })
  if (problem === undefined) return

  if (problem.exceeds !== undefined) {
    const circular = findCircle(intent, [], new Set())
    if (circular !== undefined)
      fail(context, pathOf(circular), 'is circular, which JSON cannot hold: remove the reference to itself')
    const field = pathOf(problem.keys.slice(-1))
    if (problem.exceeds === 'depth') {
      fail(context, field, problem.text, { limit: MAX_DEPTH, actual: MAX_DEPTH + 1 })
    }
    fail(context, field, problem.text, { limit, actual: limit + 1 })
  }
  fail(context, pathOf(problem.keys.toReversed()), problem.text)
}

/**
 * Whether a value that `JSON.parse` made from `jsonb` would pass `checkJson`. Only its depth and its numbers can be wrong:
 * `JSON.parse` reads 1e400 as Infinity. Checking its texts as well took a fiftieth of a relay's time.
 */
export function isSound(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth > MAX_DEPTH) return false
  if (Array.isArray(value)) return value.every((element) => isSound(element, depth + 1))
  for (const key in value) if (!isSound((value as Record<string, unknown>)[key], depth + 1)) return false
  return true
}

function find(value: unknown, depth: number, budget: Budget): Problem | undefined {
  if (--budget.left < 0) {
    return {
      text: `makes the operation more than ${budget.limit} bytes: send less data`,
      keys: [],
      exceeds: 'size',
    }
  }
  switch (typeof value) {
    case 'string':
      return findInText(value, 'holds')
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value)
        ? undefined
        : found(`is ${value}, which JSON cannot hold: pass a number or null`)
    case 'object':
      if (value === null) return undefined
      if (isRawJson(value))
        return found('is raw JSON, whose numbers may lose digits: pass a number or a string')
      if (depth >= MAX_DEPTH) {
        return {
          text: `is nested deeper than ${MAX_DEPTH} levels: send flatter data`,
          keys: [],
          exceeds: 'depth',
        }
      }
      if (Array.isArray(value)) return findInArray(value, depth + 1, budget)
      return isPlainObject(value) ? findInObject(value, depth + 1, budget) : found(classProblem(value))
    default:
      return found(
        `is a ${typeof value}, which JSON cannot hold${typeof value === 'bigint' ? ': pass a string' : ''}`,
      )
  }
}

/** Whether a value comes from `JSON.rawJSON` (Node.js 22 and later), which writes its text into the JSON unchanged. */
function isRawJson(value: object): boolean {
  const { isRawJSON } = JSON as { isRawJSON?: (value: object) => boolean }
  return isRawJSON?.(value) === true
}

function findInObject(object: Record<string, unknown>, depth: number, budget: Budget): Problem | undefined {
  for (const key of Object.keys(object)) {
    const value = object[key]
    // JSON.stringify leaves out such a key.
    if (value === undefined) continue
    const problem = findInText(key, 'is a name that holds') ?? find(value, depth, budget)
    if (problem !== undefined) return within(problem, key)
  }
  // JSON.stringify calls a toJSON method even if Object.keys does not list it.
  if (typeof object.toJSON === 'function') return found('has a toJSON method: pass plain JSON')
  if (Object.getOwnPropertySymbols(object).length > 0)
    return found('has a symbol for a name, which JSON cannot hold')
  return undefined
}

function findInArray(array: readonly unknown[], depth: number, budget: Budget): Problem | undefined {
  for (let i = 0; i < array.length; i++) {
    const value = array[i]
    const problem =
      value === undefined
        ? found(
            `is ${i in array ? 'undefined' : 'a hole in a sparse array'}, which JSON cannot hold: pass null`,
          )
        : find(value, depth, budget)
    if (problem !== undefined) return within(problem, i)
  }
  return 'toJSON' in array ? found('has a toJSON method: pass plain JSON') : undefined
}

function findInText(text: string, verb: string): Problem | undefined {
  if (text.includes('\u0000'))
    return found(`${verb} a NUL character (\\u0000), which Postgres cannot store: remove it`)
  if (!text.isWellFormed()) {
    return found(
      `${verb} half a surrogate pair, which Postgres cannot store: cut texts between characters, or use text.toWellFormed()`,
    )
  }
  return undefined
}

function classProblem(value: object): string {
  const kind = kindOf(value)
  if (value instanceof Date) {
    return 'is a Date, which JSON cannot hold: pass Math.floor(date.getTime() / 1000) or date.toISOString()'
  }
  return `is a ${kind}, not a plain object: pass plain JSON`
}

function found(text: string): Problem {
  return { text, keys: [] }
}

function within(problem: Problem, key: string | number): Problem {
  problem.keys.push(key)
  return problem
}

const MAX_CIRCLE = 1_000

/**
 * The path of the first value that contains itself through fewer than {@link MAX_CIRCLE} others. It only
 * improves the message: the caller already knows that the intent exceeds the depth or the size.
 */
function findCircle(
  value: unknown,
  ancestors: object[],
  clear: Set<object>,
): (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null || clear.has(value) || ancestors.length > MAX_CIRCLE)
    return undefined
  if (ancestors.includes(value)) return []
  ancestors.push(value)
  for (const [key, child] of Object.entries(value)) {
    const path = findCircle(child, ancestors, clear)
    if (path !== undefined) return [Array.isArray(value) ? Number(key) : key, ...path]
  }
  ancestors.pop()
  clear.add(value)
  return undefined
}
