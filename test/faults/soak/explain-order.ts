import type { AppliedOperation, DuplicateOperation } from '../../../src/testing/index.ts'
import type { Written } from '../support/oracle.ts'

/** When an intent left the queue, as `outbox.delivered` says. */
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
  /** Unix milliseconds. Times in the lines count from here. */
  readonly began: number
}

/** So many of a person's intents before and after the one in question are listed. */
const AROUND = 8

/**
 * What is known of an intent that came out of order and of its neighbours, a line for each in the order of the commits:
 * where it stood in the queue, and with which requests it arrived.
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
    const stood = row
      ? `lane ${row.lane}, seq ${row.seq}, settled at ${seconds(row.delivered_at.getTime())}`
      : lostCommits.has(intent.ref)
        ? 'its commit was lost'
        : 'not in delivered'
    const came = (arrivals.get(intent.ref) ?? [])
      .sort((a, b) => a.receivedAt - b.receivedAt)
      .map(
        ({ how, receivedAt, requestOrdinal }) =>
          `${how} at ${seconds(receivedAt)} by request ${requestOrdinal}`,
      )
    const mark = intent.ref === ref ? '>' : ' '
    return `${mark} ${intent.person} ${intent.position} ${intent.ref}${intent.isEvent ? '' : ' (identify)'}: ${stood}; ${came.join(', ') || 'never came'}`
  })
}
