import type { Sizes } from '../../settings.ts'
import { type Bar, type Measure, type MeasureResult, median, ratioBar } from '../measure.ts'

/** Results of all rounds: rates in intents/s, memory in MB, views in ms, pruning in s. */
export interface GrowthRounds {
  readonly small: number[]
  readonly large: number[]
  /** Rate of the large backlog until as many intents arrived as the small backlog has. */
  readonly largeFirst: number[]
  readonly snapshot: number[]
  readonly memory: { readonly small: number[]; readonly large: number[]; readonly snapshot: number[] }
  readonly views: Readonly<Record<string, number[]>>
  readonly prune: number[]
  readonly broken: string[]
}

export function growthResult(measure: Measure, sizes: Sizes, rounds: GrowthRounds): MeasureResult {
  const large = sizes.backlog.toLocaleString('en')
  const small = sizes.smallBacklog.toLocaleString('en')
  const labels = {
    small: `${small} pending, drained`,
    largeFirst: `${large} pending, the first ${small}`,
    large: `${large} pending, ${sizes.growthSeconds} s`,
    snapshot: `${large} pending, with a snapshot held open`,
  }
  const rates = (['small', 'largeFirst', 'large', 'snapshot'] as const).map((which) => ({
    label: labels[which],
    unit: 'intents/s',
    values: rounds[which],
  }))
  const memory = (['small', 'large', 'snapshot'] as const).map((which) => ({
    label: labels[which],
    unit: 'MB',
    values: rounds.memory[which],
  }))
  const views = Object.entries(rounds.views).map(([view, values]) => ({
    label: `outbox.${view}`,
    unit: 'ms',
    values,
  }))
  return {
    id: measure.id,
    title: measure.title,
    groups: [
      { title: 'drain rate', series: rates },
      { title: 'peak memory of the relay', series: memory },
      { title: `views at ${large} pending`, series: views },
      {
        title: 'maintenance',
        series: [
          {
            label: `pruning a day of ${sizes.delivered.toLocaleString('en')} delivered`,
            unit: 's',
            values: rounds.prune,
          },
        ],
      },
    ],
    bars: bars(large, small, rounds),
    broken: rounds.broken,
    charts: [{ name: 'growth', title: 'Drain rate and backlog: intents/s', unit: '/s', bars: rates }],
  }
}

function bars(large: string, small: string, rounds: GrowthRounds): Bar[] {
  const { memory, views, prune } = rounds
  const slowest = Object.entries(views).map(([view, values]) => ({ view, ms: median(values) }))
  const worst = slowest.reduce((a, b) => (b.ms > a.ms ? b : a))
  const peaks = [...memory.small, ...memory.large, ...memory.snapshot]
  return [
    ratioBar(`rate with ${large} pending ≥ 0.9 × with ${small}`, rounds.large, rounds.small, { least: 0.9 }),
    ratioBar(`its first ${small} ≥ 0.9 × ${small} alone`, rounds.largeFirst, rounds.small, { least: 0.9 }),
    ratioBar(`with a snapshot held open ≥ 0.8 × with ${small}`, rounds.snapshot, rounds.small, {
      least: 0.8,
    }),
    ratioBar('with a snapshot held open ≥ 0.8 × without', rounds.snapshot, rounds.large, { least: 0.8 }),
    {
      says: 'every view ≤ 100 ms',
      measured: worst.ms,
      bound: { most: 100 },
      unit: 'ms',
      why: `slowest: ${worst.view}`,
    },
    {
      says: 'memory of the relay ≤ 180 MB',
      measured: peaks.length > 0 ? Math.max(...peaks) : undefined,
      bound: { most: 180 },
      unit: 'MB',
      ...(peaks.length > 0 ? {} : { why: 'needs /proc' }),
    },
    { says: 'pruning a day ≤ 1 s', measured: median(prune), bound: { most: 1 }, unit: 's' },
  ]
}
