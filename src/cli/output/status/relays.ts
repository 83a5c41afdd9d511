import { age, count, shorten } from '../format.ts'
import { table } from '../table.ts'
import type { Section } from './section.ts'

export const relays: Section = {
  title: 'Relays',
  render: ({ relays: rows }, width) =>
    table(
      rows,
      [
        { head: 'relay', cell: (row) => row.relayId.slice(0, 8) },
        { head: 'host', cell: (row) => row.host, cut: shorten },
        { head: 'version', cell: (row) => row.version },
        { head: 'up', align: 'right', cell: (row) => age(row.upSeconds) },
        { head: 'seen', align: 'right', cell: (row) => `${age(row.silentSeconds)} ago` },
        { head: 'lanes', align: 'right', cell: (row) => count(row.lanesHeld) },
        { head: '', cell: (row) => (row.alive ? '' : 'silent') },
      ],
      'none is running: start customerio-outbox relay',
      width,
    ),
}
