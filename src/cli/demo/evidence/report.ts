import { count, duration, type Painter, table } from '../../output/format.ts'
import type { Findings } from './check.ts'
import type { Latency } from './latency.ts'

/** What a run came to; printed as it stands with `--json`. */
export interface DemoResult {
  readonly holds: boolean
  /** What broke the promise, a sentence each. */
  readonly failures: readonly string[]
  readonly committed: { readonly intents: number; readonly transactions: number }
  readonly rolledBack: { readonly intents: number; readonly transactions: number }
  readonly findings: Findings
  /** Retried requests whose dedup key was taken. */
  readonly duplicatesAtEnqueue: number
  /** Events sent again and dropped by their ULID. */
  readonly duplicatesByUlid: number
  readonly breakerTransitions: Readonly<Record<string, number>>
  readonly latency: { readonly all: Latency; readonly calm: Latency }
  readonly outageSeconds: number
  readonly requests: number
  readonly postgres: string
  readonly seconds: number
}

/** The result for people, its verdict last. */
export function renderResult(result: DemoResult, paint: Painter): string {
  const { findings, committed, rolledBack, latency } = result
  const zero = (value: number) => (value === 0 ? '0' : paint.red(count(value)))
  const rows: [string, string, string][] = [
    ['committed', count(committed.intents), `in ${count(committed.transactions)} transactions`],
    ['  delivered', count(findings.delivered), `in ${count(result.requests)} requests`],
    ['  dead letters', count(findings.deadLettered), 'refused by Customer.io, kept with the reason'],
    ['  pending', count(findings.pending), ''],
    ['  lost', zero(findings.lost), ''],
    ['rolled back', count(rolledBack.intents), `in ${count(rolledBack.transactions)} transactions`],
    ['  delivered all the same', zero(findings.phantom), ''],
    ['duplicates', '', ''],
    [
      '  dropped at enqueue',
      count(result.duplicatesAtEnqueue),
      'a request came again, with the same dedup key',
    ],
    [
      '  dropped by event id',
      count(result.duplicatesByUlid),
      'sent again after a reset or the kill, same ULID',
    ],
    ['  applied twice', zero(findings.appliedTwice), ''],
    ['order violations', zero(findings.orderViolations), 'first deliveries per person, in commit order'],
  ]
  const cells = table(
    rows,
    [
      { head: '', cell: ([label]) => label },
      { head: 'intents', align: 'right', cell: ([, value]) => value },
      { head: '', cell: ([, , note]) => paint.dim(note) },
    ],
    '',
  )
  const transitions = Object.entries(result.breakerTransitions).map(
    ([change, times]) => `${change} ${times}×`,
  )
  return [
    cells,
    '',
    table(
      [['all', latency.all] as const, [`without outage and kill`, latency.calm] as const],
      [
        { head: 'commit to delivery', cell: ([label]) => label },
        { head: 'intents', align: 'right', cell: ([, value]) => count(value.count) },
        { head: 'p50', align: 'right', cell: ([, value]) => duration(value.p50Ms) },
        { head: 'p99', align: 'right', cell: ([, value]) => duration(value.p99Ms) },
      ],
      '',
    ),
    '',
    `  breaker: ${transitions.join(', ') || 'never opened'}`,
    `  ${result.postgres}, ${result.seconds} s in all`,
    '',
    verdict(result, paint),
  ].join('\n')
}

function verdict({ holds, failures }: DemoResult, paint: Painter): string {
  if (!holds) return `  ${paint.red(paint.bold('BROKEN'))}  ${failures.join('; ')}`
  return `  ${paint.green(paint.bold('HOLDS'))}  Everything committed arrived or is kept, nothing rolled back did, in order, no event twice.`
}
