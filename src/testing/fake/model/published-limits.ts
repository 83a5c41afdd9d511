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
  /** All attachments of an email, as base64; fewer bytes than this. More is answered 413. */
  attachmentsBytes: 2_000_000,
  /** Recipients of an email in `to`, `cc` and `bcc`. */
  emailRecipients: 15,
  /** How far ahead `send_at` may be; days. */
  sendAtDays: 90,
  /** The whole body of a broadcast's trigger; bytes. More is answered 413. */
  broadcastBytes: 25_000_000,
  /** `data` of a broadcast's trigger, as JSON; bytes. */
  broadcastDataBytes: 50_000,
  /** `ids`, `emails` or `per_user_data` of a broadcast's trigger. */
  broadcastRecipients: 10_000,
  /** One call of the Pipelines API, or one message of its batch; bytes. */
  pipelinesMessageBytes: 32_000,
  /** The whole body of the Pipelines API's batch; bytes. */
  pipelinesBatchBytes: 500_000,
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
