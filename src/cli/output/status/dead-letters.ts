import { age, count, shorten, shortenDestination } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const deadLetters: Section = {
  title: 'Dead letters',
  render: ({ deadLetters: rows }, width) =>
    table(
      rows,
      [
        { head: 'destination', cell: (row) => row.destination, cut: shortenDestination },
        { head: 'operation', cell: (row) => row.operation, cut: shorten },
        { head: 'reason', cell: (row) => row.reason },
        { head: 'count', align: 'right', cell: (row) => count(row.count) },
        { head: 'newest', align: 'right', cell: (row) => `${age(row.newestSeconds)} ago` },
      ],
      'none',
      width,
    ),
}
