/**
 * The limits that Customer.io publishes, as the fake enforces them. Bytes are bytes of UTF-8.
 *
 * "KB" is not defined by Customer.io. The fake reads it as 1,000 bytes, the smaller of the two readings: what passes
 * here passes there.
 */
export const publishedLimits = {
  /** An `id`, `email`, `phone` or `cio_id`; bytes. */
  identifierBytes: 150,
  /** The name of an attribute; bytes. */
  attributeNameBytes: 150,
  /** The value of an attribute: a string's own bytes, any other value's bytes as JSON. */
  attributeValueBytes: 1_000,
  /** Attributes in one call. */
  attributes: 300,
  /** The name of an event, a page or a screen; bytes. */
  eventNameBytes: 100,
  /** `data` of an event on v1, as JSON; bytes. On v2 `operationBytes` binds first. */
  eventDataBytes: 100_000,
  /** One operation on v2; bytes. More is answered 413 by `/entity`, 207 by `/batch`. */
  operationBytes: 32_000,
  /** The whole body of `/batch`; bytes. More is answered 413. */
  batchBytes: 500_000,
} as const

/** Whether `text` takes more than `limit` bytes. Counts only where the length leaves it open. */
export function exceedsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return true
  return text.length * 3 > limit && Buffer.byteLength(text) > limit
}

/** Whether `value` as JSON takes more than `limit` bytes. Writes the JSON only where an upper bound leaves it open. */
export function exceedsJsonBytes(value: unknown, limit: number): boolean {
  if (jsonBytesAtMost(value) <= limit) return false
  return Buffer.byteLength(JSON.stringify(value) ?? '') > limit
}

/** An upper bound of the JSON's bytes: an escape takes six, the longest number 25. Four times cheaper than stringify. */
function jsonBytesAtMost(value: unknown): number {
  if (typeof value === 'string') return value.length * 6 + 2
  if (typeof value !== 'object' || value === null) return 25
  let bytes = 2
  if (Array.isArray(value)) {
    for (const item of value) bytes += jsonBytesAtMost(item) + 1
    return bytes
  }
  const record = value as Record<string, unknown>
  for (const name in record) bytes += name.length * 6 + 4 + jsonBytesAtMost(record[name])
  return bytes
}
