import type { Chart } from '../report/chart.ts'
import type { Bench } from './bench.ts'

/** What was measured several times, in the order of the rounds. */
export interface Series {
  readonly label: string
  readonly unit: string
  readonly values: readonly number[]
  /** What the number rests on: how many intents, which settings. */
  readonly note?: string
}

/** A bound that a measurement must keep. */
export interface Bar {
  readonly says: string
  /** Undefined: it could not be measured, and `why` tells. */
  readonly measured: number | undefined
  readonly bound: { readonly least: number } | { readonly most: number }
  readonly unit: string
  readonly why?: string
}

export interface MeasureResult {
  readonly id: string
  readonly title: string
  readonly groups: readonly { readonly title: string; readonly series: readonly Series[] }[]
  readonly bars: readonly Bar[]
  /** Promises that were not kept, whatever the speed. */
  readonly broken: readonly string[]
  readonly charts?: readonly Chart[]
}

export interface Measure {
  readonly id: string
  readonly title: string
  run(bench: Bench): Promise<MeasureResult>
}

export function holds({ measured, bound }: Bar): boolean {
  if (measured === undefined || !Number.isFinite(measured)) return false
  return 'least' in bound ? measured >= bound.least : measured <= bound.most
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Linear between the neighbours; NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)]
  const high = sorted[Math.ceil(at)]
  if (low === undefined || high === undefined) return Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** A bar on the ratio of two medians of one run; undefined where one of them is missing. */
export function ratioBar(
  says: string,
  of: readonly number[] | undefined,
  to: readonly number[] | undefined,
  bound: Bar['bound'],
): Bar {
  if (!of?.length || !to?.length) {
    return { says, measured: undefined, bound, unit: '×', why: 'one of the two was not measured' }
  }
  return { says, measured: median(of) / median(to), bound, unit: '×' }
}
