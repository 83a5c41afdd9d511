/**
 * A value as customerio-node would send it: dates become text, and values without a JSON form are left out. A value that
 * `JSON.stringify` cannot write is returned unchanged: the checks of the intent refuse it and name the field.
 */
export function toJsonValue(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    const text = JSON.stringify(value)
    return text === undefined ? value : JSON.parse(text)
  } catch {
    return value
  }
}

/** The fields of an object as customerio-node would send them; undefined for any other value. */
export function toJsonFields(value: unknown): Record<string, unknown> | undefined {
  const sent = toJsonValue(value)
  return typeof sent === 'object' && sent !== null && !Array.isArray(sent)
    ? (sent as Record<string, unknown>)
    : undefined
}

/** Whether customerio-node considers a parameter empty. */
export function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}
