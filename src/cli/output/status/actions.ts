import { count, shorten } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const actions: Section = {
  title: 'Actions under way',
  render: ({ actions: rows }, width) =>
    table(
      rows,
      [
        { head: 'action', cell: (row) => row.actionId },
        { head: 'kind', cell: (row) => row.kind },
        {
          head: 'done',
          align: 'right',
          cell: (row) => `${count(row.processed)} of ${count(row.total)}`,
        },
        { head: '', cell: (row) => row.error ?? row.waiting ?? row.state, cut: shorten },
      ],
      'none',
      width,
    ),
}
