import { kindOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import { MAX_TIMESTAMP_SECONDS } from '../limits.ts'

/**
 * Checks that a timestamp is in whole Unix seconds. It may be absent: the database's time at `enqueue` is sent then.
 */
export function checkTimestamp(context: ErrorContext, field: string, value: unknown): void {
  if (value === undefined) return
  const must = 'must be whole Unix seconds'

  if (typeof value !== 'number') {
    const advice = value instanceof Date ? ': pass Math.floor(date.getTime() / 1000)' : ''
    fail(context, field, `${must}, got ${kindOf(value)}${advice}`)
  }
  if (value > MAX_TIMESTAMP_SECONDS && Number.isFinite(value)) {
    fail(context, field, `${must}, not milliseconds: pass Math.floor(milliseconds / 1000)`, {
      limit: MAX_TIMESTAMP_SECONDS,
      actual: value,
    })
  }
  if (!Number.isInteger(value)) {
    fail(
      context,
      field,
      `${must}, got ${Number.isFinite(value) ? 'a fraction: pass Math.floor(seconds)' : value}`,
    )
  }
  if (value < 0) fail(context, field, `${must}, got a time before 1970`)
}
