import type { Intent, Person } from '../intent/intent.ts'

/** The operation of a person in the parts of which `outbox.enqueue_wire` makes the wire text. */
export interface WireArguments {
  /** Which of `id`, `email`, `phone` and `cio_id` identifies the person. */
  readonly person_kind: string
  readonly person: string
  /** The name of an event. Null for `identify`. */
  readonly name: string | null
  /** Undefined if there are none. Sent as JSON text. */
  readonly attributes: object | undefined
  /** Unix seconds as text. Null: the database's time. */
  readonly occurred_at: string | null
}

/**
 * The wire arguments of an intent. Undefined if it is stored as its payload and the relay converts it: its form depends on a
 * setting, it has an endpoint of its own, or a field is sent under another name.
 */
export function wireArgumentsOf(intent: Intent): WireArguments | undefined {
  switch (intent.operation) {
    case 'track':
    case 'trackScreen':
      return argumentsOf(intent, intent.name, intent.data, intent.timestamp)
    case 'trackPageView':
      return argumentsOf(intent, intent.path, intent.data, intent.timestamp)
    case 'identify':
      // Relationships are sent beside the attributes.
      if (intent.attributes?.cio_relationships !== undefined) return undefined
      return argumentsOf(intent, null, intent.attributes, intent.timestamp)
    default:
      return undefined
  }
}

function argumentsOf(
  { customerId, identifiers }: Person,
  name: string | null,
  attributes: object | undefined,
  timestamp: number | undefined,
): WireArguments | undefined {
  const [person_kind, person] =
    customerId === undefined
      ? (Object.entries(identifiers).find(([, value]) => value !== undefined) ?? [])
      : ['id', customerId]
  if (person_kind === undefined) return undefined
  return {
    person_kind,
    person: String(person),
    name,
    attributes,
    occurred_at: timestamp === undefined ? null : String(timestamp),
  }
}
