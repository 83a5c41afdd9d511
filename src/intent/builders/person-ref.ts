import type { Person, PersonIdentifiers, UnixSeconds } from '../intent.ts'

/**
 * A person: the id, or one identifier by its name, such as `{ email: 'jane@example.com' }`.
 */
export type PersonRef = string | number | PersonIdentifiers

/**
 * The optional time of an event or of an `identify`.
 */
export type TimeOfIntent = {
  /**
   * Unix time in whole seconds.
   *
   * @default The database's time at `enqueue`.
   */
  readonly timestamp?: UnixSeconds
}

/** The fields of an intent that name its person. */
export function personOf(person: PersonRef): Person {
  return typeof person === 'object' && person !== null ? { identifiers: person } : { customerId: person }
}

/** An object with the field, or without it if the value is undefined. */
export function given<K extends string, T>(field: K, value: T): { [P in K]?: Exclude<T, undefined> } {
  return (value === undefined ? {} : { [field]: value }) as { [P in K]?: Exclude<T, undefined> }
}
