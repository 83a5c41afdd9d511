import type { AppliedOperation } from '../../../testing/fake/model/operation.ts'

/** A delivery that must happen: a row that a committed transaction wrote into the shop's own table. */
export interface Expectation {
  readonly ref: string
  readonly personId: string
  /** Place of the intent among the person's intents, in commit order. */
  readonly position: number
  readonly isEvent: boolean
}

export interface Evidence {
  readonly expected: readonly Expectation[]
  readonly rolledBack: ReadonlySet<string>
  /** Refs of repeated requests whose dedup key was taken. */
  readonly duplicates: ReadonlySet<string>
  /** The operations that took effect at Customer.io, in order. */
  readonly applied: readonly Arrival[]
  readonly deadLettered: ReadonlySet<string>
  readonly pending: ReadonlySet<string>
}

export interface Arrival {
  readonly ref: string
  readonly isEvent: boolean
  /** Unix ms. */
  readonly at: number
}

export interface Findings {
  readonly delivered: number
  readonly deadLettered: number
  readonly pending: number
  /** Committed, but neither delivered nor dead-lettered nor pending. */
  readonly lost: number
  /** Delivered, although rolled back or a duplicate. */
  readonly phantom: number
  /** First deliveries that came after a later intent of the same person. */
  readonly orderViolations: number
  /** Events that took effect more than once. */
  readonly appliedTwice: number
  /** Delivered, but of no known transaction. */
  readonly unknown: number
}

/**
 * Compares commits with deliveries. Pure and independent of the outbox: it knows only the shop's tables and the journal
 * of the fake Customer.io.
 *
 * The fault tests have an oracle of their own, test/faults/support/shop/oracle.ts, which is not in the package. It also
 * judges ids, bodies, commits that a crash lost and unjustified dead letters, and names the refs. The oracle and this
 * check share no code, so that a mistake in one is not also in the other.
 */
export function check(evidence: Evidence): Findings {
  const expectations = new Map(evidence.expected.map((each) => [each.ref, each]))
  const arrivals = new Map<string, number>()
  const places = new Map<string, number>()
  const found = { phantom: 0, orderViolations: 0, appliedTwice: 0, unknown: 0 }
  for (const { ref, isEvent } of evidence.applied) {
    const times = (arrivals.get(ref) ?? 0) + 1
    arrivals.set(ref, times)
    if (times > 1) {
      if (isEvent) found.appliedTwice++
      continue
    }
    const expectation = expectations.get(ref)
    if (expectation) {
      const { personId, position } = expectation
      const reached = places.get(personId) ?? 0
      if (position < reached) found.orderViolations++
      else places.set(personId, position)
    } else if (evidence.rolledBack.has(ref) || evidence.duplicates.has(ref)) found.phantom++
    else found.unknown++
  }
  const countIn = (where: ReadonlySet<string> | ReadonlyMap<string, number>) =>
    evidence.expected.filter(({ ref }) => where.has(ref)).length
  const lost = evidence.expected.filter(
    ({ ref }) => !arrivals.has(ref) && !evidence.deadLettered.has(ref) && !evidence.pending.has(ref),
  )
  return {
    delivered: countIn(arrivals),
    deadLettered: countIn(evidence.deadLettered),
    pending: countIn(evidence.pending),
    lost: lost.length,
    ...found,
  }
}

/** A sentence for each broken promise. */
export function violations(findings: Findings): string[] {
  const { lost, phantom, orderViolations, appliedTwice, unknown } = findings
  const sentence = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : [])
  return [
    ...sentence(lost, 'committed intents are lost'),
    ...sentence(phantom, 'rolled-back or duplicate intents were delivered'),
    ...sentence(orderViolations, 'intents were delivered before an earlier one of the same person'),
    ...sentence(appliedTwice, 'events took effect twice'),
    ...sentence(unknown, 'operations arrived that no transaction enqueued'),
  ]
}

/** Reads the shop's ref from an operation that Customer.io received. */
export function arrivalOf({ body, action, receivedAt }: AppliedOperation): Arrival {
  return { ref: String(body.attributes?.ref), isEvent: action !== 'identify', at: receivedAt }
}
