import type { DeadLetter } from '../../operate/dead-letters.ts'
import { shorten } from './format.ts'
import { table } from './table.ts'

export function deadLetterTable(letters: readonly DeadLetter[]): string {
  return table(
    letters,
    [
      { head: 'id', cell: ({ id }) => id },
      {
        head: 'operation',
        cell: ({ operation, name }) => shorten([operation, name].filter(Boolean).join(' '), 26),
      },
      { head: 'reason', cell: ({ reason, status }) => [reason, status].filter(Boolean).join(' ') },
    ],
    'no dead letter matches',
  )
}

/** One dead letter with its payload. */
export function describeDeadLetter(letter: DeadLetter): string {
  const { id, destination, operation, name, orderingKey, reason, status, field, message, payload } = letter
  const why = [reason, status, field, message].filter((part) => part !== null).join(' ')
  return [
    `${operation}${name === null ? '' : ` ${shorten(name, 100)}`} ${id}`,
    `to ${destination} for ${orderingKey}`,
    `enqueued ${letter.enqueuedAt.toISOString()}, died ${letter.deadAt.toISOString()}: ${shorten(why, 500)}`,
    ...(letter.requestedAt
      ? [
          `its request began at ${letter.requestedAt.toISOString()}: look in Customer.io before you send it again`,
        ]
      : []),
    ...(letter.encrypted === 'locked'
      ? ['the payload is encrypted: set OUTBOX_ENCRYPTION_KEYS to read it']
      : []),
    '',
    JSON.stringify(payload, undefined, 2),
  ].join('\n')
}
