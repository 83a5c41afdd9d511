import { fail, failSize, type ErrorContext } from '../errors.ts'
import { isLonger, utf8Bytes } from '../size.ts'

/** Checks that a text is not empty and not only spaces. */
export function checkNotBlank(context: ErrorContext, field: string, text: string): void {
  if (text.trim() !== '') return
  fail(context, field, text === '' ? 'is empty' : 'is only spaces')
}

/** Checks that a text has at most `limit` bytes of UTF-8. */
export function checkBytes(context: ErrorContext, field: string, text: string, limit: number): void {
  if (isLonger(text, limit)) failSize(context, field, { limit, actual: utf8Bytes(text) })
}

/** 26 digits of Crockford's base 32, in either case: all digits and letters but I, L, O and U. */
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/i

/** Whether `value` is a ULID, the form that Customer.io requires of an event id. */
export function isUlid(value: unknown): boolean {
  return typeof value === 'string' && ULID.test(value)
}
