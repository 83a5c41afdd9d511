import { age, count, shortenDestination } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const backlog: Section = {
  title: 'Backlog',
  render: ({ backlog: rows }, width) =>
    table(
      rows,
      [
        { head: 'destination', cell: (row) => row.destination, cut: shortenDestination },
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
      width,
    ),
}
