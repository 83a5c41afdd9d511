/**
 * A value as customerio-node would have put it on the wire: dates become text, what JSON has no form for is left
 * out. What JSON cannot write at all comes back as it is, for the intent's checks to refuse by name.
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

/** The same for an object that is taken apart: what is no object has no fields. */
export function toJsonFields(value: unknown): Record<string, unknown> | undefined {
  const sent = toJsonValue(value)
  return typeof sent === 'object' && sent !== null && !Array.isArray(sent)
    ? (sent as Record<string, unknown>)
    : undefined
}

/** What customerio-node calls an empty parameter. */
export function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}
