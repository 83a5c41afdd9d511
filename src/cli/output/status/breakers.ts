import { age, count, shorten, shortenDestination } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const breakers: Section = {
  title: 'Breakers',
  render: ({ breakers: rows }, width) =>
    table(
      rows,
      [
        { head: 'destination', cell: (row) => row.destination, cut: shortenDestination },
        { head: 'state', cell: (row) => row.state.replace('_', ' ') },
        { head: 'failures', align: 'right', cell: (row) => count(row.failureCount) },
        {
          head: 'open for',
          align: 'right',
          cell: (row) => (row.state === 'closed' ? '–' : age(row.openSeconds)),
        },
        {
          head: 'retry in',
          align: 'right',
          cell: (row) => (row.retrySeconds ? age(row.retrySeconds) : '–'),
        },
        { head: 'last error', cell: (row) => shorten(row.lastError, 60) || '–', cut: shorten },
      ],
      'all closed, no failure yet',
      width,
    ),
}
