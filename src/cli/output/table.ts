import Table from 'cli-table3'

export interface Column<Row> {
  readonly head: string
  readonly align?: 'left' | 'right'
  readonly cell: (row: Row) => string
  /** Cuts a text, so that a table fits the terminal. Default: the column is never cut. */
  readonly cut?: (text: string, length: number) => string
}

/** The narrowest column that a cut leaves. */
const NARROWEST = 8
const INDENT = 2
/** Spaces between two columns. A table that does not fit has fewer. */
const GAP = { usual: 3, tight: 2 } as const

/**
 * An aligned table without frames, indented by two columns; `empty` if there is no row.
 *
 * @param width Columns of the terminal. A wider table gets smaller gaps, and then cuts its widest columns that have a `cut`.
 * Default: any width, for a file or a pipe.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
  width = Number.POSITIVE_INFINITY,
): string {
  if (rows.length === 0) return `  ${empty}`
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)))
  const widths = columns.map(({ head }, n) =>
    Math.max(head.length, ...cells.map((row) => row[n]?.length ?? 0)),
  )
  const isTight = sum(widths) + INDENT + GAP.usual * (columns.length - 1) > width
  const room = width - INDENT - GAP.tight * (columns.length - 1)
  const fitted = narrow(widths, columns, room)
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' }
  const rest = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' }
  const grid = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...none, ...rest, right: '', 'right-mid': '', middle: isTight ? '' : ' ' },
    style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1, compact: true },
  })
  grid.push(...cells.map((row) => row.map((text, n) => columns[n]?.cut?.(text, fitted[n] ?? 0) ?? text)))
  return grid
    .toString()
    .split('\n')
    .map((line) => ` ${line.trimEnd()}`)
    .join('\n')
}

/** Narrows the widest column that may be cut, step by step, until all columns fit in `room`, or none is left to cut. */
function narrow<Row>(widths: readonly number[], columns: readonly Column<Row>[], room: number): number[] {
  const fitted = [...widths]
  while (sum(fitted) > room) {
    let widest = -1
    for (const [n, width] of fitted.entries()) {
      if (
        columns[n]?.cut &&
        width > Math.max(NARROWEST, columns[n].head.length) &&
        width > (fitted[widest] ?? 0)
      )
        widest = n
    }
    if (widest < 0) break
    fitted[widest] = (fitted[widest] ?? 0) - 1
  }
  return fitted
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
