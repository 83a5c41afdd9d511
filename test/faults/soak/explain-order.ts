import type { AppliedOperation, DuplicateOperation } from '../../../src/testing/index.ts'
import type { Written } from '../support/shop/oracle.ts'

/** The row of a settled intent in `outbox.delivered`. */
export interface Settled {
  readonly id: string
  readonly seq: string
  readonly lane: number
  readonly delivered_at: Date
}

export interface OrderEvidence {
  readonly written: readonly Written[]
  readonly lostCommits: ReadonlyMap<string, Written>
  readonly applied: Iterable<AppliedOperation>
  readonly duplicates: Iterable<DuplicateOperation>
  readonly settled: readonly Settled[]
  /** Start of the soak, Unix milliseconds. The lines show times relative to it. */
  readonly began: number
}

/** How many intents of the same person are listed before and after the one in question. */
const AROUND = 8

/**
 * Describes an intent that arrived out of order, and its neighbours: one line each, in commit order, with the position
 * in the queue and the requests that carried it.
 */
export function explainOrder(ref: string, evidence: OrderEvidence): string[] {
  const { written, lostCommits, applied, duplicates, settled, began } = evidence
  const one = written.find((intent) => intent.ref === ref)
  if (!one) return []
  const seconds = (at: number) => `${((at - began) / 1_000).toFixed(2)} s`
  const arrivals = Map.groupBy(
    [
      ...Array.from(applied, (operation) => ({ ...operation, how: 'applied' })),
      ...Array.from(duplicates, (operation) => ({ ...operation, how: 'dropped' })),
    ],
    ({ body }) => String(body.attributes?.ref),
  )
  const byId = new Map(settled.map((row) => [row.id, row]))
  const intents = [...written, ...[...lostCommits.values()].filter((lost) => !written.includes(lost))]
    .filter(({ person, position }) => person === one.person && Math.abs(position - one.position) <= AROUND)
    .sort((a, b) => a.position - b.position)
  return intents.map((intent) => {
    const row = byId.get(intent.id)
    const queueState = row
      ? `lane ${row.lane}, seq ${row.seq}, settled at ${seconds(row.delivered_at.getTime())}`
      : lostCommits.has(intent.ref)
        ? 'its commit was lost'
        : 'not in delivered'
    const arrivalText = (arrivals.get(intent.ref) ?? [])
      .sort((a, b) => a.receivedAt - b.receivedAt)
      .map(
        ({ how, receivedAt, requestOrdinal }) =>
          `${how} at ${seconds(receivedAt)} by request ${requestOrdinal}`,
      )
    const mark = intent.ref === ref ? '>' : ' '
    return `${mark} ${intent.person} ${intent.position} ${intent.ref}${intent.isEvent ? '' : ' (identify)'}: ${queueState}; ${arrivalText.join(', ') || 'never arrived'}`
  })
}
