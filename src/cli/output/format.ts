import Table from 'cli-table3'

/** `12345` as `12,345`, whatever the locale of the machine. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Seconds as a person says them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function age(seconds: number | null): string {
  if (seconds === null) return '–'
  if (seconds < 1) return `${Math.max(0, seconds).toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return twoUnits(whole, 60, 'min', 1, 's')
  if (whole < 86_400) return twoUnits(whole, 3_600, 'h', 60, 'min')
  return twoUnits(whole, 86_400, 'd', 3_600, 'h')
}

function twoUnits(value: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((value % large) / small)
  return `${Math.floor(value / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
}

/** Milliseconds: `38 ms`, `1.2 s`, `14 s`. */
export function duration(ms: number | null): string {
  if (ms === null) return '–'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : age(ms / 1_000)
}

/** The time of day, in UTC, of a minute: `14:05`. */
export function minuteOfDay(time: Date): string {
  return `${time.toISOString().slice(11, 16)}Z`
}

export interface Column<Row> {
  readonly head: string
  readonly align?: 'left' | 'right'
  readonly cell: (row: Row) => string
}

/** An aligned table without frames, indented by two, or `empty` where there is no row. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): string {
  if (rows.length === 0) return `  ${empty}`
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' }
  const rest = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' }
  const grid = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...none, ...rest, right: '', 'right-mid': '', middle: ' ' },
    style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1, compact: true },
  })
  grid.push(...rows.map((row) => columns.map(({ cell }) => cell(row))))
  return grid
    .toString()
    .split('\n')
    .map((line) => ` ${line.trimEnd()}`)
    .join('\n')
}

/** Cuts a text to `length` characters on one line. */
export function shorten(text: string | null, length: number): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim()
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`
}

/** A switch for colour: none where nobody looks, or where NO_COLOR says so. */
export function painter(isTTY: boolean | undefined) {
  const on = isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  const paint = (code: number) => (text: string) => (on ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    bold: paint(1),
    dim: paint(2),
    red: paint(31),
    green: paint(32),
    yellow: paint(33),
    cyan: paint(36),
  }
}

export type Painter = ReturnType<typeof painter>
