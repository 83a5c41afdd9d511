import { inspect } from 'node:util'
import { isContainer, isMatcher, isSame, namesOf, memberOf } from './match.ts'

const MAX_LINES = 60
const MAX_CHARACTERS = 200

/**
 * The values of `expected` as lines, each with two characters before it: `- ` for a value that `found` does not have, `+ ` for
 * what it has instead. Values that are not expected are left out.
 */
export function diffOf(found: unknown, expected: object): string {
  const lines = linesOf(found, expected, '')
  const more = lines.length - MAX_LINES
  return [...lines.slice(0, MAX_LINES), ...(more > 0 ? [`  … ${more} more lines`] : [])].join('\n')
}

function linesOf(found: unknown, expected: unknown, label: string, indent = ''): string[] {
  const isBranch = isContainer(expected) && !isMatcher(expected)
  const isComparable = isBranch && isContainer(found) && Array.isArray(found) === Array.isArray(expected)
  if (!isComparable) {
    if (!isBranch && isSame(found, expected)) return [`  ${indent}${label}${textOf(found)}`]
    return [
      ...(expected === undefined ? [] : [`- ${indent}${label}${textOf(expected)}`]),
      ...(found === undefined ? [] : [`+ ${indent}${label}${textOf(found)}`]),
    ]
  }
  const isArray = Array.isArray(expected)
  const [open, close] = isArray ? ['[', ']'] : ['{', '}']
  const members = namesOf(found, expected).flatMap((name) =>
    linesOf(memberOf(found, name), memberOf(expected, name), isArray ? '' : `${name}: `, `${indent}  `),
  )
  return [`  ${indent}${label}${open}`, ...members, `  ${indent}${close}`]
}

/** A value in one line of bounded length. */
export function textOf(value: unknown): string {
  const text = isMatcher(value)
    ? nameOf(value)
    : inspect(value, { depth: 8, breakLength: Number.POSITIVE_INFINITY })
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text
}

/** The name of an asymmetric matcher: `Any<Number>`. */
function nameOf(matcher: object): string {
  const { toAsymmetricMatcher } = matcher as { toAsymmetricMatcher?: () => unknown }
  return typeof toAsymmetricMatcher === 'function' ? String(toAsymmetricMatcher.call(matcher)) : 'a matcher'
}
