/** One intent of a committed transaction, as its business row describes it. */
export interface Written {
  /** A unique name of the intent, which its payload contains as `ref`. */
  readonly ref: string
  /** The ordering key. */
  readonly person: string
  /** Position among the person's intents, in commit order. */
  readonly position: number
  /** The id that `enqueue` returned. */
  readonly id: string
  /** Events carry an id and take effect once. All other operations may be applied again. */
  readonly isEvent: boolean
}

/** One operation, as Customer.io received it. */
export interface Received {
  readonly ulid: string | undefined
  readonly body: { readonly attributes?: Readonly<Record<string, unknown>> }
}

export interface Evidence {
  /** The business rows, which the database has committed. */
  readonly written: readonly Written[]
  /** Refs whose COMMIT was confirmed. */
  readonly acknowledged: ReadonlySet<string>
  /** Refs that were rolled back, with their transaction or to a savepoint. */
  readonly rolledBack: ReadonlySet<string>
  /**
   * By ref: commits that a crash or a failover of the database lost, from the records of their writers. They may have been
   * delivered before the loss. Default: none.
   */
  readonly lostCommits?: ReadonlyMap<string, Written>
  /** Refs that Customer.io refused: only these may be dead letters. Default: all refs may. */
  readonly refused?: ReadonlySet<string>
  /** Refs that the outbox still holds. */
  readonly pending: readonly string[]
  readonly deadLettered: readonly string[]
  /** The operations that took effect at Customer.io, in order. */
  readonly applied: Iterable<Received>
  /** Events that Customer.io dropped because of a repeated id. */
  readonly duplicates: Iterable<Received & { readonly sameBody: boolean | undefined }>
}

/** The ways in which a promise can be violated. */
export type Violation =
  /** Committed, and neither delivered nor dead-lettered nor pending. */
  | 'lost'
  /** Rolled back, but delivered, dead-lettered or pending. */
  | 'sent though rolled back'
  /** Delivered, dead-lettered or pending, but of no known transaction. */
  | 'of no transaction'
  /** The database lost the commit, but the outbox has a dead letter or a pending intent of it. */
  | 'kept though its commit was lost'
  /** A dead letter of an intent that Customer.io did not refuse. */
  | 'dead-lettered without a refusal'
  /** First delivered after a later intent of the person. */
  | 'out of order'
  /** An event that took effect more than once. */
  | 'applied twice'
  /** An event with another id than `enqueue` returned. */
  | 'under another id'
  /** An event that was sent again with another body. */
  | 'sent again changed'
  /** COMMIT was confirmed, but the business row is missing: a fault of the database or of the test. */
  | 'not durable'
  /** Rolled back, but the business row exists: a fault of the database or of the test. */
  | 'not rolled back'
  /** A lost commit whose business row exists: a fault of the test. */
  | 'not lost'

export interface Finding {
  readonly violation: Violation
  readonly count: number
  /** The first five refs. */
  readonly refs: readonly string[]
}

export interface Verdict {
  readonly committed: number
  readonly delivered: number
  readonly deadLettered: number
  readonly pending: number
  /** Commits that the database lost in a crash or a failover. */
  readonly lostCommits: number
  /** Lost commits that were delivered before the loss, which no relay can prevent. */
  readonly deliveredOfLost: number
  /** Events that Customer.io received again and dropped: the cost of at-least-once delivery. */
  readonly resent: number
  /** Empty if no promise was violated. */
  readonly findings: readonly Finding[]
}

const REFS_NAMED = 5

/**
 * Checks that `committed ⊆ delivered ∪ dead-lettered ∪ pending` and `delivered ∩ rolled back = ∅`, that the first
 * deliveries of each person are in commit order, and that no event took effect twice. A commit that the database lost is
 * neither committed nor rolled back: it may have been delivered once, under its own id, and is exempt from the order.
 *
 * A pure function that does not depend on the outbox's code. It reads each list once.
 */
export function judge(evidence: Evidence): Verdict {
  const findings = new Findings()
  const { lostCommits = new Map<string, Written>(), refused } = evidence
  const written = new Map(evidence.written.map((each) => [each.ref, each]))
  const unknown = (ref: string) =>
    findings.add(evidence.rolledBack.has(ref) ? 'sent though rolled back' : 'of no transaction', ref)

  const arrived = new Set<string>()
  const reached = new Map<string, number>()
  for (const operation of evidence.applied) {
    const ref = refOf(operation)
    const survivor = written.get(ref)
    const intent = survivor ?? lostCommits.get(ref)
    if (!intent) {
      unknown(ref)
      continue
    }
    checkId(findings, intent, operation)
    if (arrived.has(ref)) {
      if (intent.isEvent) findings.add('applied twice', ref)
      continue
    }
    arrived.add(ref)
    if (!survivor) continue
    if (intent.position < (reached.get(intent.person) ?? 0)) findings.add('out of order', ref)
    else reached.set(intent.person, intent.position)
  }
  let resent = 0
  for (const operation of evidence.duplicates) {
    resent++
    const ref = refOf(operation)
    const intent = written.get(ref) ?? lostCommits.get(ref)
    if (!intent) {
      unknown(ref)
      continue
    }
    checkId(findings, intent, operation)
    if (operation.sameBody === false) findings.add('sent again changed', ref)
  }

  const known = (ref: string) => {
    if (written.has(ref)) return true
    if (lostCommits.has(ref)) findings.add('kept though its commit was lost', ref)
    else unknown(ref)
    return false
  }
  const pending = new Set(evidence.pending.filter(known))
  const deadLettered = new Set(evidence.deadLettered.filter(known))
  if (refused) {
    for (const ref of deadLettered)
      if (!refused.has(ref)) findings.add('dead-lettered without a refusal', ref)
  }
  for (const { ref } of evidence.written) {
    if (!arrived.has(ref) && !pending.has(ref) && !deadLettered.has(ref)) findings.add('lost', ref)
  }
  let deliveredOfLost = 0
  for (const ref of lostCommits.keys()) {
    if (written.has(ref)) findings.add('not lost', ref)
    else if (arrived.has(ref)) deliveredOfLost++
  }
  for (const ref of evidence.acknowledged) {
    if (!written.has(ref) && !lostCommits.has(ref)) findings.add('not durable', ref)
  }
  for (const ref of evidence.rolledBack) if (written.has(ref)) findings.add('not rolled back', ref)
  return {
    committed: written.size,
    delivered: arrived.size - deliveredOfLost,
    deadLettered: deadLettered.size,
    pending: pending.size,
    lostCommits: lostCommits.size,
    deliveredOfLost,
    resent,
    findings: findings.list(),
  }
}

/** One line per finding: `3 lost: w1-7, w1-8, w2-1`. */
export function describeFindings({ findings }: Verdict): string[] {
  return findings.map(
    ({ violation, count, refs }) =>
      `${count} ${violation}: ${refs.join(', ')}${count > refs.length ? ', …' : ''}`,
  )
}

class Findings {
  readonly #byViolation = new Map<Violation, { count: number; refs: string[] }>()

  add(violation: Violation, ref: string): void {
    const found = this.#byViolation.get(violation) ?? { count: 0, refs: [] }
    found.count++
    if (found.refs.length < REFS_NAMED) found.refs.push(ref)
    this.#byViolation.set(violation, found)
  }

  list(): Finding[] {
    return [...this.#byViolation].map(([violation, found]) => ({ violation, ...found }))
  }
}

function refOf({ body }: Received): string {
  return String(body.attributes?.ref)
}

function checkId(findings: Findings, intent: Written, { ulid }: Received): void {
  if (intent.isEvent && (ulid === undefined || uuidOf(ulid) !== intent.id)) {
    findings.add('under another id', intent.ref)
  }
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Converts a ULID to the UUID with the same 128 bits. */
export function uuidOf(ulid: string): string {
  let bits = 0n
  for (const digit of ulid.toUpperCase()) bits = (bits << 5n) | BigInt(CROCKFORD.indexOf(digit))
  const hex = bits.toString(16).padStart(32, '0')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
