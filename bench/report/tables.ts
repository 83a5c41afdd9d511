import Table from 'cli-table3'
import { type Bar, holds, type MeasureResult, median, type Series } from '../measures/measure.ts'

/** One table per group of a measure's results: medians with minimum and maximum. */
export function tablesOf(result: MeasureResult): string {
  const tables = result.groups.map(({ title, series }) => {
    const table = new Table({
      head: [title, 'median', 'min – max', ''],
      colAligns: ['left', 'right', 'right', 'left'],
      style: { head: [], border: [] },
    })
    for (const one of series) table.push([one.label, ...figures(one), one.note ?? ''])
    return table.toString()
  })
  const broken = result.broken.map((line) => `BROKEN  ${line}`)
  return [result.title, ...tables, ...broken].join('\n')
}

/** A table of every bar and whether it holds. */
export function barsTable(bars: readonly Bar[]): string {
  const table = new Table({
    head: ['bar', 'measured', ''],
    colAligns: ['left', 'right', 'left'],
    style: { head: [], border: [] },
  })
  for (const bar of bars) table.push([bar.says, measured(bar), verdict(bar)])
  return table.toString()
}

export function verdict(bar: Bar): string {
  if (bar.measured === undefined) return `not measured: ${bar.why ?? ''}`
  return holds(bar) ? 'holds' : `FAILS${bar.why === undefined ? '' : `: ${bar.why}`}`
}

export function measured({ measured, unit }: Bar): string {
  return measured === undefined ? '–' : `${number(measured)} ${unit}`.trim()
}

/** Formats with three significant digits below 100, and as a whole number from 100 on. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return value >= 100
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

function figures({ values, unit }: Series): [string, string] {
  const spread = values.length > 1 ? `${number(Math.min(...values))} – ${number(Math.max(...values))}` : ''
  return [`${number(median(values))} ${unit}`, spread]
}
