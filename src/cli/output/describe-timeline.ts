import type { PersonTimeline } from '../../observe/timeline/fold-timeline.ts'
import { count, shorten } from './format.ts'

/** The timeline as values that JSON can hold: maps become objects. */
export function plainTimeline(timeline: PersonTimeline): unknown {
  return JSON.parse(
    JSON.stringify(timeline, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value)),
  )
}

/** What Customer.io should know about a person in one workspace, and what is missing. */
export function describeTimeline(timeline: PersonTimeline): string {
  const { workspace, completeSince, profile, messages, notDelivered, notKept, notSent } = timeline
  const since =
    completeSince === null
      ? 'this workspace keeps no payloads'
      : `payloads are kept since ${completeSince.toISOString()}`
  const counts = [
    ['messages', messages],
    ['not delivered yet, or dead', notDelivered],
    ['delivered, payload not kept', notKept],
    ['not sent because of allowRecipients', notSent],
  ] as const
  return [
    `workspace ${workspace}: ${profile.status} (${since})`,
    ...(profile.status === 'present' ? present(profile) : []),
    ...counts.flatMap(([what, intents]) =>
      intents.length > 0 ? [`  ${what}: ${count(intents.length)}`] : [],
    ),
  ].join('\n')
}

function present({ attributes, devices, events }: Extract<PersonTimeline['profile'], { status: 'present' }>) {
  return [
    ...[...attributes].map(([name, value]) => `  ${name} = ${shorten(JSON.stringify(value), 100)}`),
    ...[...devices.keys()].map((token) => `  device ${shorten(token, 60)}`),
    ...events.map(
      ({ time, type, name }) => `  ${new Date(time * 1_000).toISOString()}  ${type} ${shorten(name, 80)}`,
    ),
  ]
}
