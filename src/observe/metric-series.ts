import type { Status } from './views/read-status.ts'

/** Label of the series that sums up every destination without a series of its own: no destination has this name. */
export const OTHER = 'other'
/** Destinations that this relay does not serve and that have series of their own, at most: any caller may name more. */
const UNSERVED_AT_MOST = 50
/** Kinds of dead letters that have a series of their own, at most. */
const DEAD_LETTER_KINDS_AT_MOST = 1_000

type State = Status['breakers'][number]['state']

/** What the gauges say of one destination, or of all others together. */
export interface DestinationSeries {
  readonly destination: string
  pending: number
  scheduled: number
  /** Of all others: the longest. */
  lagSeconds: number
  /** Of all others: the most. */
  failures: number
  /** How many breakers are in each state: one of them is 1, of a single destination. */
  readonly states: Record<State, number>
}

export interface DeadLetterSeries {
  readonly destination: string
  readonly operation: string
  readonly reason: string
  count: number
}

/**
 * Adds to `named` the destinations that have series of their own from now on: those served, and the first others that
 * appear. A destination keeps its series, so that a value falls to 0 and does not vanish.
 */
export function nameDestinations(named: Set<string>, served: readonly string[], status: Status): void {
  for (const destination of served) named.add(destination)
  const room = served.length + UNSERVED_AT_MOST
  for (const { destination } of [...status.backlog, ...status.breakers]) {
    if (named.size >= room) return
    named.add(destination)
  }
}

/** A series for each of the `named`, and one more if others have anything to say. */
export function destinationSeries(status: Status, named: ReadonlySet<string>): DestinationSeries[] {
  const series = new Map([...named].map((destination) => [destination, emptySeries(destination)]))
  const seriesOf = (destination: string) => {
    const label = named.has(destination) ? destination : OTHER
    const found = series.get(label) ?? emptySeries(label)
    series.set(label, found)
    return found
  }
  for (const { destination, pending, scheduled, lagSeconds } of status.backlog) {
    const one = seriesOf(destination)
    one.pending += pending
    one.scheduled += scheduled
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

/** Dead letters by destination, operation and reason; of destinations that are not `named`, together. */
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
    lagSeconds: 0,
    failures: 0,
    states: { closed: 0, open: 0, half_open: 0, paused: 0, rejecting: 0 },
  }
}
