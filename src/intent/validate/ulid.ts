/** 26 digits of Crockford's base 32, in either case: all digits and letters but I, L, O and U. */
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/i

/** Whether `value` is a ULID, the form that Customer.io requires of an event id. */
export function isUlid(value: unknown): boolean {
  return typeof value === 'string' && ULID.test(value)
}
