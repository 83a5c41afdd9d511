import { count, duration, type Painter, wrap } from '../../output/format.ts'
import { table } from '../../output/table.ts'
import type { Findings } from './check.ts'
import type { Latency } from './latency.ts'

/** The result of a run, as `--json` prints it. */
export interface DemoResult {
  /** True if every promise was kept. */
  readonly holds: boolean
  /** A sentence for each broken promise. */
  readonly failures: readonly string[]
  readonly committed: { readonly intents: number; readonly transactions: number }
  readonly rolledBack: { readonly intents: number; readonly transactions: number }
  readonly findings: Findings
  /** Relays before the final stop. */
  readonly relays: { readonly alive: number; readonly of: number; readonly restarts: number }
  /** Repeated requests whose dedup key was taken. */
  readonly duplicatesAtEnqueue: number
  /** Events that a relay sent again, and that Customer.io dropped by their ULID. */
  readonly duplicatesByUlid: number
  readonly breakerTransitions: Readonly<Record<string, number>>
  readonly latency: { readonly all: Latency; readonly calm: Latency }
  readonly outageSeconds: number
  readonly requests: number
  readonly postgres: string
  readonly seconds: number
}

/** Renders the result as text, its verdict last. */
export function renderResult(result: DemoResult, paint: Painter): string {
  const { relays, postgres, seconds } = result
  const restarts = relays.restarts === 1 ? 'one was killed and restarted' : `${relays.restarts} restarts`
  return [
    intents(result, paint),
    '',
    latency(result),
    '',
    `  relays   ${relays.alive} of ${relays.of} alive, ${restarts}`,
    `  breaker  ${transitions(result)}`,
    `  ran on   ${wrap(`${postgres}, ${seconds} s in all`, 11)}`,
    '',
    verdict(result, paint),
  ].join('\n')
}

function intents(result: DemoResult, paint: Painter): string {
  const { findings, committed, rolledBack } = result
  const zero = (value: number) => (value === 0 ? '0' : paint.red(count(value)))
  const rows: [string, string, string][] = [
    ['committed', count(committed.intents), `in ${count(committed.transactions)} transactions`],
    ['  delivered', count(findings.delivered), `in ${count(result.requests)} requests`],
    ['  dead letters', count(findings.deadLettered), 'Customer.io rejected them; kept'],
    ['  pending', count(findings.pending), ''],
    ['  lost', zero(findings.lost), ''],
    ['rolled back', count(rolledBack.intents), `in ${count(rolledBack.transactions)} transactions`],
    ['  delivered anyway', zero(findings.phantom), ''],
    ['duplicates', '', ''],
    ['  dropped at enqueue', count(result.duplicatesAtEnqueue), 'request repeated, same dedup key'],
    ['  dropped by event id', count(result.duplicatesByUlid), 'sent again after a reset or the kill'],
    ['  applied twice', zero(findings.appliedTwice), ''],
    ['order violations', zero(findings.orderViolations), 'per person, against commit order'],
  ]
  return table(
    rows,
    [
      { head: '', cell: ([label]) => label },
      { head: 'intents', align: 'right', cell: ([, value]) => value },
      { head: '', cell: ([, , note]) => paint.dim(note) },
    ],
    '',
  )
}

function latency({ latency: { all, calm } }: DemoResult): string {
  return table(
    [['all', all] as const, ['outside kill and outage', calm] as const],
    [
      { head: 'commit to delivery', cell: ([label]) => label },
      { head: 'intents', align: 'right', cell: ([, value]) => count(value.count) },
      { head: 'p50', align: 'right', cell: ([, value]) => duration(value.p50Ms) },
      { head: 'p99', align: 'right', cell: ([, value]) => duration(value.p99Ms) },
    ],
    '',
  )
}

function transitions({ breakerTransitions }: DemoResult): string {
  const times = (change: string) => breakerTransitions[change] ?? 0
  const opened = times('closed → open')
  if (opened === 0) return 'never opened'
  return `opened ${opened}×, probed ${times('open → half open')}×, closed ${times('half open → closed')}×`
}

function verdict({ holds, failures }: DemoResult, paint: Painter): string {
  if (holds) {
    const text =
      'Everything committed was delivered or kept, in order. Nothing rolled back was delivered. No event took effect twice.'
    return `  ${paint.green(paint.bold('HOLDS'))}   ${wrap(text, 10)}`
  }
  const lines = failures.map((failure) => wrap(failure, 10))
  return `  ${paint.red(paint.bold('BROKEN'))}  ${lines.join(`\n${' '.repeat(10)}`)}`
}
