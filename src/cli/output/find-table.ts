import type { FoundEvent } from '../../operate/find.ts'
import { shorten } from './format.ts'

/** Events by intent: a line for the intent, then one for each event. Intents are in the order of their first events. */
export function eventTable(events: readonly FoundEvent[]): string {
  if (events.length === 0) return 'nothing was found'
  const intents = [...Map.groupBy(events, ({ id }) => id)]
  return intents
    .map(([id, ofIntent]) => [titleOf(id, ofIntent[0]), ...ofIntent.map(line)].join('\n'))
    .join('\n\n')
}

function titleOf(id: string, first: FoundEvent | undefined): string {
  const { operation, name, destination, orderingKey } = first ?? {}
  const what = [operation, name].filter(Boolean).join(' ')
  const where = [destination && `to ${destination}`, orderingKey && `for ${orderingKey}`]
    .filter(Boolean)
    .join(' ')
  return [id, shorten(what, 60), where].filter(Boolean).join('  ')
}

function line({ at, event, detail }: FoundEvent): string {
  return `  ${at.toISOString()}  ${event.padEnd(12)}${detail ? `  ${shorten(detail, 500)}` : ''}`.trimEnd()
}
