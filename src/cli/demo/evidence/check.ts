import type { AppliedOperation } from '../../../testing/fake/model/operation.ts'

/** What a committed transaction must have led to, as read from the shop's own table. */
export interface Expectation {
  readonly ref: string
  readonly personId: string
  /** Its place among the person's intents, in commit order. */
  readonly position: number
  readonly isEvent: boolean
}

export interface Evidence {
  readonly expected: readonly Expectation[]
  readonly rolledBack: ReadonlySet<string>
  /** Refs of retried requests whose dedup key was taken. */
  readonly duplicates: ReadonlySet<string>
  /** What took effect at Customer.io, in order: `ref` per operation. */
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
  /** Committed, and nowhere to be found. */
  readonly lost: number
  /** Rolled back or refused as a duplicate, and delivered all the same. */
  readonly phantom: number
  /** First deliveries after one of a later place of the same person. */
  readonly orderViolations: number
  /** Events that took effect more than once. */
  readonly appliedTwice: number
  /** Delivered, and of no transaction that is known. */
  readonly unknown: number
}

/**
 * Compares what was committed with what arrived. Pure, and independent of the outbox: it knows only the shop's
 * tables and the receiver's journal.
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
  const has = (where: ReadonlySet<string> | ReadonlyMap<string, number>) =>
    evidence.expected.filter((e) => where.has(e.ref))
  const lost = evidence.expected.filter(
    ({ ref }) => !arrivals.has(ref) && !evidence.deadLettered.has(ref) && !evidence.pending.has(ref),
  )
  return {
    delivered: has(arrivals).length,
    deadLettered: has(evidence.deadLettered).length,
    pending: has(evidence.pending).length,
    lost: lost.length,
    ...found,
  }
}

/** What broke the promise, a sentence each; none where it held. */
export function violations(findings: Findings): string[] {
  const { lost, phantom, orderViolations, appliedTwice, unknown } = findings
  const said = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : [])
  return [
    ...said(lost, 'committed intents are lost'),
    ...said(phantom, 'intents were delivered that were rolled back or duplicates'),
    ...said(orderViolations, 'intents were delivered before an earlier one of the same person'),
    ...said(appliedTwice, 'events took effect twice'),
    ...said(unknown, 'operations arrived that no transaction had asked for'),
  ]
}

/** Reads the shop's mark from an operation as it arrived. */
export function arrivalOf({ body, action, receivedAt }: AppliedOperation): Arrival {
  return { ref: String(body.attributes?.ref), isEvent: action !== 'identify', at: receivedAt }
}
