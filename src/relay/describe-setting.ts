import type { z } from 'zod'
import { hint, kindOf } from '../intent/describe.ts'
import { shownOption } from '../intent/option-checks.ts'

/** Settings that hold a secret, or may hold one: an error shows only the kind of their value. */
const SECRET = /(?:connectionString|url|siteId|key|encryption\.find)$/i
const CONTAINERS: ReadonlySet<string> = new Set(['object', 'record', 'array'])

/**
 * Describes the first wrong setting in one line: `Expected workers to be a whole number from 1 to 64, got "many"`.
 *
 * @param error What zod found.
 * @param schema The schema that found it.
 * @param settings The value that was checked.
 * @param within The path of `settings` within the options.
 * @param whole What the settings are called as a whole.
 */
export function describeSetting(
  { issues: [issue] }: z.ZodError,
  schema: z.ZodType,
  settings: unknown,
  within: readonly string[],
  whole = 'the relay options',
): string {
  if (!issue) return 'Expected other settings'
  const path = [...within, ...issue.path.map(String)].join('.')
  const label = path || whole
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys[0] ?? ''
    return `Expected ${label} to have known names only, got ${shownOption(unknown)}: ${hint(unknown, namesAt(schema, issue.path))}`
  }
  if (issue.code === 'invalid_key') {
    const name = shownOption(issue.path.at(-1))
    return `Expected the name of a workspace ${issue.issues[0]?.message ?? 'to be valid'}, got ${name}`
  }
  if (issue.code === 'custom' && typeof issue.params?.got === 'string') {
    return `Expected ${label} ${expectation(issue)}, got ${issue.params.got}`
  }
  const value = issue.path.reduce<unknown>(
    (outer, key) => (outer as Record<PropertyKey, unknown>)?.[key],
    settings,
  )
  // A string where an object or a list is expected may be an API key.
  const isSecret =
    SECRET.test(path) ||
    (issue.code === 'invalid_type' && typeof value === 'string' && CONTAINERS.has(issue.expected))
  return `Expected ${label} ${expectation(issue)}, got ${shown(value, isSecret)}`
}

function shown(value: unknown, isSecret: boolean): string {
  if (value === undefined) return 'nothing'
  if (value === '') return 'an empty string'
  return isSecret ? kindOf(value) : shownOption(value)
}

/**
 * What was expected of the setting, as `to …`: the message of our schemas, else a text for zod's code of the issue. Zod's own
 * text is never shown.
 */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('to ')) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return `to be ${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
    case 'too_small':
      return `to be at least ${issue.minimum}`
    case 'too_big':
      return `to be at most ${issue.maximum}`
    case 'invalid_value':
      return `to be ${issue.values.map((value) => shownOption(value)).join(' or ')}`
    case 'invalid_format':
      return `to be a valid ${issue.format}`
    default:
      return 'to be valid'
  }
}

/** The members of zod's objects, records, unions and wrappers that lead to a nested schema. */
interface Walkable {
  readonly shape?: Readonly<Record<PropertyKey, Walkable>>
  readonly valueType?: Walkable
  /** Of a union its members, of an enum its values. */
  readonly options?: readonly (Walkable | string)[]
  unwrap?(): Walkable
}

/** The names that a schema accepts at a path. */
function namesAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let here = schema as Walkable | undefined
  for (const key of [...path, undefined]) {
    while (here?.unwrap) here = here.unwrap()
    const members: readonly (Walkable | string)[] = here?.options ?? []
    here =
      (members.find((member) => typeof member === 'object' && member.shape !== undefined) as
        | Walkable
        | undefined) ?? here
    if (key !== undefined) here = here?.shape ? here.shape[key] : here?.valueType
  }
  return Object.keys(here?.shape ?? {})
}
