/** The workload of every peer: one kind of event, of one size, over a fixed number of people. */

/** Refs cycle through the people: a person's events are `person`, `person + PEOPLE`, `person + 2 * PEOPLE`, … */
export const PEOPLE = 5_000
/** Bytes of an intent's payload as compact JSON: `{"customerId":…,"name":…,"data":{…}}`. */
export const PAYLOAD_BYTES = 300
export const EVENT_NAME = 'order_placed'

export interface TrackPayload {
  readonly customerId: string
  readonly name: string
  readonly data: { readonly ref: number; readonly note: string }
}

export function personOf(ref: number): string {
  return `u${ref % PEOPLE}`
}

/** The event numbered `ref`, 300 bytes of JSON. */
export function payloadOf(ref: number): TrackPayload {
  const bare = { customerId: personOf(ref), name: EVENT_NAME, data: { ref, note: '' } }
  const note = 'x'.repeat(PAYLOAD_BYTES - JSON.stringify(bare).length)
  return { ...bare, data: { ref, note } }
}

/** `payloadOf(ref)` as an SQL expression of type jsonb, for backlogs that an INSERT … SELECT fills. */
export function payloadSql(ref: string): string {
  const bare = JSON.stringify({ customerId: 'u', name: EVENT_NAME, data: { ref: 0, note: '' } }).length - 1
  const person = `(${ref} % ${PEOPLE})`
  return `jsonb_build_object(
    'customerId', 'u' || ${person}, 'name', '${EVENT_NAME}',
    'data', jsonb_build_object('ref', ${ref}, 'note', repeat('x',
      ${PAYLOAD_BYTES - bare} - length(${person}::text) - length(${ref}::text))))`
}
