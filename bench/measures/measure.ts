import type { Chart } from '../report/chart.ts'
import type { Bench } from './bench.ts'

/** One measured quantity, with one value per round. */
export interface Series {
  readonly label: string
  readonly unit: string
  readonly values: readonly number[]
  /** Conditions of the measurement: number of intents, settings. */
  readonly note?: string
}

/** A target for a measurement: the bar that the project sets itself. */
export interface Bar {
  readonly says: string
  /** Undefined if it could not be measured; `why` has the reason. */
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
  /** Violated promises. The run fails even if every bar holds. */
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

/** Interpolates linearly between neighbours. NaN for an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)]
  const high = sorted[Math.ceil(at)]
  if (low === undefined || high === undefined) return Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** A bar for the ratio of two medians. Not measured if one of them is missing. */
export function ratioBar(
  says: string,
  of: readonly number[] | undefined,
  to: readonly number[] | undefined,
  bound: Bar['bound'],
): Bar {
  if (!of?.length || !to?.length) {
    return { says, measured: undefined, bound, unit: '×', why: 'one of the two series is missing' }
  }
  return { says, measured: median(of) / median(to), bound, unit: '×' }
}
