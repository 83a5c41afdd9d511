import type { Status } from '../../../observe/views/read-status.ts'
import { type Painter, shorten } from '../format.ts'
import { actions } from './actions.ts'
import { backlog } from './backlog.ts'
import { breakers } from './breakers.ts'
import { deadLetters } from './dead-letters.ts'
import { relays } from './relays.ts'
import type { Section } from './section.ts'
import { throughput } from './throughput.ts'

/** Every section, in the order in which it is printed. */
const SECTIONS: readonly Section[] = [backlog, breakers, relays, deadLetters, actions, throughput]

/**
 * Renders the status as text: the health, then a table for each section.
 *
 * @param width Columns of the terminal. Default: any width, for a file or a pipe.
 */
export function renderStatus(status: Status, paint: Painter, width = Number.POSITIVE_INFINITY): string {
  const sections = SECTIONS.map(({ title, render }) => `${paint.bold(title)}\n${render(status, width)}`)
  return [health(status, paint), ...sections].join('\n\n')
}

function health({ health: { status, reasons }, at }: Status, paint: Painter): string {
  const colour = { ok: paint.green, degraded: paint.yellow, down: paint.red }[status]
  const time = paint.dim(`${at.toISOString().slice(0, 19)}Z`)
  return [
    `${paint.bold('Health')}  ${colour(status)}  ${time}`,
    ...reasons.map((reason) => `  ${shorten(reason, 500)}`),
  ].join('\n')
}
