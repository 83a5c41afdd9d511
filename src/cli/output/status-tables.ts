import type { Status } from '../../observe/views/read-status.ts'
import { age, count, duration, minuteOfDay, type Painter, shorten, table } from './format.ts'

/** Renders the status as text: the health, then tables. */
export function renderStatus(status: Status, paint: Painter): string {
  const title = (text: string) => paint.bold(text)
  return [
    health(status, paint),
    '',
    title('Backlog'),
    backlog(status),
    '',
    title('Breakers'),
    breakers(status),
    '',
    title('Relays'),
    relays(status),
    '',
    title('Dead letters'),
    deadLetters(status),
    '',
    title('Throughput of the last 5 minutes'),
    throughput(status),
  ].join('\n')
}

function health({ health: { status, reasons }, at }: Status, paint: Painter): string {
  const colour = { ok: paint.green, degraded: paint.yellow, down: paint.red }[status]
  const time = paint.dim(`${at.toISOString().slice(0, 19)}Z`)
  return [
    `${paint.bold('Health')}  ${colour(status)}  ${time}`,
    ...reasons.map((reason) => `  ${shorten(reason, 500)}`),
  ].join('\n')
}

function backlog({ backlog: rows }: Status): string {
  return table(
    rows,
    [
      { head: 'destination', cell: (row) => row.destination },
      {
        head: 'pending',
        align: 'right',
        cell: (row) => `${row.estimated ? 'about ' : ''}${count(row.pending)}`,
      },
      {
        head: 'scheduled',
        align: 'right',
        cell: (row) => (row.scheduled > 100_000 ? 'over 100,000' : count(row.scheduled)),
      },
      {
        head: 'held',
        align: 'right',
        cell: (row) => (row.held > 100_000 ? 'over 100,000' : count(row.held)),
      },
      { head: 'oldest', align: 'right', cell: (row) => (row.pending > 0 ? age(row.lagSeconds) : '–') },
    ],
    'empty',
  )
}

function breakers({ breakers: rows }: Status): string {
  return table(
    rows,
    [
      { head: 'destination', cell: (row) => row.destination },
      { head: 'state', cell: (row) => row.state.replace('_', ' ') },
      { head: 'failures', align: 'right', cell: (row) => count(row.failureCount) },
      {
        head: 'open for',
        align: 'right',
        cell: (row) => (row.state === 'closed' ? '–' : age(row.openSeconds)),
      },
      { head: 'retry in', align: 'right', cell: (row) => (row.retrySeconds ? age(row.retrySeconds) : '–') },
      { head: 'last error', cell: (row) => shorten(row.lastError, 60) || '–' },
    ],
    'all closed, no failure yet',
  )
}

function relays({ relays: rows }: Status): string {
  return table(
    rows,
    [
      { head: 'relay', cell: (row) => row.relayId.slice(0, 8) },
      { head: 'host', cell: (row) => row.host },
      { head: 'version', cell: (row) => row.version },
      { head: 'up', align: 'right', cell: (row) => age(row.upSeconds) },
      { head: 'seen', align: 'right', cell: (row) => `${age(row.silentSeconds)} ago` },
      { head: 'lanes', align: 'right', cell: (row) => count(row.lanesHeld) },
      { head: '', cell: (row) => (row.alive ? '' : 'silent') },
    ],
    'none is running: start customerio-outbox relay',
  )
}

function deadLetters({ deadLetters: rows }: Status): string {
  return table(
    rows,
    [
      { head: 'destination', cell: (row) => row.destination },
      { head: 'operation', cell: (row) => row.operation },
      { head: 'reason', cell: (row) => row.reason },
      { head: 'count', align: 'right', cell: (row) => count(row.count) },
      { head: 'newest', align: 'right', cell: (row) => `${age(row.newestSeconds)} ago` },
    ],
    'none',
  )
}

function throughput({ throughput: rows }: Status): string {
  return table(
    rows,
    [
      { head: 'minute', cell: (row) => minuteOfDay(row.minute) },
      { head: 'destination', cell: (row) => row.destination },
      { head: 'delivered', align: 'right', cell: (row) => count(row.delivered) },
      { head: 'dead', align: 'right', cell: (row) => count(row.deadLettered) },
      { head: 'p50', align: 'right', cell: (row) => duration(row.p50Ms) },
      { head: 'p99', align: 'right', cell: (row) => duration(row.p99Ms) },
    ],
    'none',
  )
}
