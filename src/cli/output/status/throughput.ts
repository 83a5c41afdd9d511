import { count, duration, minuteOfDay, shortenDestination } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const throughput: Section = {
  title: 'Throughput of the last 5 minutes',
  render: ({ throughput: rows }, width) =>
    table(
      rows,
      [
        { head: 'minute', cell: (row) => minuteOfDay(row.minute) },
        { head: 'destination', cell: (row) => row.destination, cut: shortenDestination },
        { head: 'delivered', align: 'right', cell: (row) => count(row.delivered) },
        { head: 'late', align: 'right', cell: (row) => count(row.late) },
        { head: 'suppressed', align: 'right', cell: (row) => count(row.suppressed) },
        { head: 'dead', align: 'right', cell: (row) => count(row.deadLettered) },
        { head: 'p50', align: 'right', cell: (row) => duration(row.p50Ms) },
        { head: 'p99', align: 'right', cell: (row) => duration(row.p99Ms) },
      ],
      'none',
      width,
    ),
}
