import { styleText } from 'node:util'
import { Help } from 'commander'
import prettyMilliseconds from 'pretty-ms'

/** Columns of a terminal that every table and message must fit in. */
export const WIDTH = 80

/** `12345` as `12,345`, whatever the locale of the machine. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Formats milliseconds, in two units at most: `38ms`, `1.2s`, `14s`, `3m 20s`, `4d 3h`. */
export function duration(ms: number | null): string {
  if (ms === null) return '–'
  const secondsDecimalDigits = ms < 10_000 ? 1 : 0
  return prettyMilliseconds(Math.max(0, ms), { unitCount: 2, secondsDecimalDigits })
}

/** Formats seconds as `duration` formats milliseconds. */
export function age(seconds: number | null): string {
  return duration(seconds === null ? null : seconds * 1_000)
}

/** The time of day of a minute, in UTC: `14:05Z`. */
export function minuteOfDay(time: Date): string {
  return `${time.toISOString().slice(11, 16)}Z`
}

/** Puts a text on one line, and cuts it to `length` characters. */
export function shorten(text: string | null, length: number): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim()
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`
}

/** Cuts a destination to `length` characters. Cuts its workspace, because the API tells more: `mark…/broadcast`. */
export function shortenDestination(destination: string, length: number): string {
  const api = destination.slice(destination.lastIndexOf('/'))
  if (destination.length <= length || api.length > length - 2) return shorten(destination, length)
  return shorten(destination.slice(0, -api.length), length - api.length) + api
}

/** Breaks a text at spaces into lines of `WIDTH` columns; every line after the first is indented. */
export function wrap(text: string, indent: number): string {
  const lines = new Help().boxWrap(text, WIDTH - indent).split('\n')
  return lines.join(`\n${' '.repeat(indent)}`)
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export type Painter = Readonly<Record<Style, (text: string) => string>>

/** Styles for one stream; none if it is no terminal, or if NO_COLOR is set. */
export function painter(stream: NodeJS.WriteStream): Painter {
  const style = (name: Style) => (text: string) => styleText(name, text, { stream })
  return {
    bold: style('bold'),
    dim: style('dim'),
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
    cyan: style('cyan'),
  }
}
