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

const BARE_BYTES =
  JSON.stringify({ customerId: 'u', name: EVENT_NAME, data: { ref: 0, note: '' } }).length - 1

const noteSql = (ref: string) => `repeat('x',
      ${PAYLOAD_BYTES - BARE_BYTES} - length(${personNumberSql(ref)}::text) - length((${ref})::text))`
const personNumberSql = (ref: string) => `(${ref} % ${PEOPLE})`

/** `personOf(ref)` as an SQL expression. */
export function personSql(ref: string): string {
  return `('u' || ${personNumberSql(ref)})`
}

/** The JSON text of the data of `payloadOf(ref)`, as an SQL expression. */
export function dataSql(ref: string): string {
  return `('{"ref":' || ${ref} || ',"note":"' || ${noteSql(ref)} || '"}')`
}

/** `payloadOf(ref)` as an SQL expression of type jsonb, for backlogs that an INSERT … SELECT fills. */
export function payloadSql(ref: string): string {
  return `jsonb_build_object('customerId', ${personSql(ref)}, 'name', '${EVENT_NAME}', 'data', ${dataSql(ref)}::jsonb)`
}
