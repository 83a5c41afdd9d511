import { closest } from '../../intent/describe.ts'
import { knownDestinations } from '../../store/breakers/known-destinations.ts'
import { matchingDestinations } from '../../store/breakers/matching-destinations.ts'
import type { Database } from '../../store/connection/database.ts'
import { SettingError } from '../errors.ts'

/** The most known destinations in an error. */
const MOST_NAMED = 20

/** What happens to a destination that is not known. It is probably mistyped. */
export type UnknownDestination = 'accepted' | 'refused' | 'refused without --force'

/**
 * The destinations that the arguments of `pause` or `resume` name, each once, sorted.
 *
 * @param given Destinations, and patterns with `*`.
 * @throws SettingError with one line for each pattern without a match and each unknown destination. It lists the known
 * destinations.
 */
export async function chooseDestinations(
  db: Database,
  given: readonly string[],
  unknown: UnknownDestination,
): Promise<string[]> {
  const known = await knownDestinations(db)
  const chosen = new Set<string>()
  const problems: string[] = []
  for (const one of given) {
    const found = one.includes('*')
      ? await matchingDestinations(db, one)
      : [one].filter((name) => unknown === 'accepted' || known.includes(name))
    if (found.length === 0) problems.push(problemOf(one, known, unknown))
    for (const destination of found) chosen.add(destination)
  }
  if (problems.length > 0) throw new SettingError(problems.join('\n'))
  return [...chosen].sort()
}

function problemOf(given: string, known: readonly string[], unknown: UnknownDestination): string {
  if (given.includes('*')) return `${given} matches no known destination: ${list(known)}`
  const meant = closest(given, known)
  const advice = meant === undefined ? list(known) : `did you mean ${meant}?`
  if (unknown !== 'refused without --force') return `${given} is no known destination: ${advice}`
  return `${given} is no known destination: ${advice}${meant === undefined ? '.' : ''} Pass --force if the name is right`
}

function list(known: readonly string[]): string {
  if (known.length === 0) return 'none is known before a relay has started or an intent waits'
  const rest = known.length - MOST_NAMED
  return `known are ${known.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
