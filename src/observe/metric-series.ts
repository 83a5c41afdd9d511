import type { Status } from './views/read-status.ts'

/** Label of the series for all destinations without a series of their own. No destination has this name. */
export const OTHER = 'other'
/** Maximum series for destinations that this relay does not serve: callers may name any number of destinations. */
const UNSERVED_AT_MOST = 50
/** Maximum series for kinds of dead letters. */
const DEAD_LETTER_KINDS_AT_MOST = 1_000

type State = Status['breakers'][number]['state']

/** Values of the gauges for one destination, or for all others together. */
export interface DestinationSeries {
  readonly destination: string
  pending: number
  scheduled: number
  held: number
  /** Seconds. For all others, the longest. */
  lagSeconds: number
  /** Failures in a row. For all others, the most. */
  failures: number
  /** Number of breakers in each state. For a single destination, one state is 1 and the others are 0. */
  readonly states: Record<State, number>
}

/** Number of dead letters of one kind. */
export interface DeadLetterSeries {
  readonly destination: string
  readonly operation: string
  readonly reason: string
  count: number
}

/**
 * Adds destinations to `named`, the set of those with series of their own: the served destinations, and the first others
 * that appear, up to a limit. A destination keeps its series, so that a value falls to 0 instead of disappearing.
 */
export function nameDestinations(named: Set<string>, served: readonly string[], status: Status): void {
  for (const destination of served) named.add(destination)
  const room = served.length + UNSERVED_AT_MOST
  for (const { destination } of [...status.backlog, ...status.breakers]) {
    if (named.size >= room) return
    named.add(destination)
  }
}

/** A series for each destination in `named`, and one for all others if there are any. */
export function destinationSeries(status: Status, named: ReadonlySet<string>): DestinationSeries[] {
  const series = new Map([...named].map((destination) => [destination, emptySeries(destination)]))
  const seriesOf = (destination: string) => {
    const label = named.has(destination) ? destination : OTHER
    const found = series.get(label) ?? emptySeries(label)
    series.set(label, found)
    return found
  }
  for (const { destination, pending, scheduled, held, lagSeconds } of status.backlog) {
    const one = seriesOf(destination)
    one.pending += pending
    one.scheduled += scheduled
    one.held += held
    one.lagSeconds = Math.max(one.lagSeconds, lagSeconds)
  }
  const withBreaker = new Set(status.breakers.map(({ destination }) => destination))
  for (const { destination, state, failureCount } of status.breakers) {
    const one = seriesOf(destination)
    one.states[state]++
    one.failures = Math.max(one.failures, failureCount)
  }
  for (const destination of named) if (!withBreaker.has(destination)) seriesOf(destination).states.closed = 1
  return [...series.values()]
}

/** Dead letters by destination, operation and reason. Destinations that are not in `named` share their series. */
export function deadLetterSeries(status: Status, named: ReadonlySet<string>): DeadLetterSeries[] {
  const series = new Map<string, DeadLetterSeries>()
  for (const { destination: from, operation, reason, count } of status.deadLetters) {
    const kind = { destination: named.has(from) ? from : OTHER, operation, reason }
    const isNew = !series.has(JSON.stringify(kind))
    const label =
      isNew && series.size >= DEAD_LETTER_KINDS_AT_MOST
        ? { destination: OTHER, operation: OTHER, reason: OTHER }
        : kind
    const key = JSON.stringify(label)
    const one = series.get(key) ?? { ...label, count: 0 }
    one.count += count
    series.set(key, one)
  }
  return [...series.values()]
}

function emptySeries(destination: string): DestinationSeries {
  return {
    destination,
    pending: 0,
    scheduled: 0,
    held: 0,
    lagSeconds: 0,
    failures: 0,
    states: { closed: 0, open: 0, half_open: 0, paused: 0, rejecting: 0 },
  }
}
