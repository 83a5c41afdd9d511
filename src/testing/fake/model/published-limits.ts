/**
 * The limits that Customer.io publishes and the fake enforces. Bytes are bytes of UTF-8.
 *
 * Customer.io does not define "KB". The fake reads it as 1,000 bytes, the smaller of the two readings, so a request
 * that the fake accepts is within the limit under either reading.
 *
 * @example
 * ```ts
 * import { publishedLimits } from 'customerio-outbox/testing'
 *
 * console.log(publishedLimits.eventNameBytes) // 100
 * ```
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
  /** `data` of an event on v1, as JSON; bytes. On v2 the smaller `operationBytes` applies. */
  eventDataBytes: 100_000,
  /** One operation on v2; bytes. Above it `/entity` answers 413 and `/batch` 207. */
  operationBytes: 32_000,
  /** The whole body of `/batch`; bytes. Above it the answer is 413. */
  batchBytes: 500_000,
  /** All attachments of an email, as base64; bytes. From this size on the answer is 413. */
  attachmentsBytes: 2_000_000,
  /** Recipients of an email in `to`, `cc` and `bcc`. */
  emailRecipients: 15,
  /** How far ahead `send_at` may be; days. */
  sendAtDays: 90,
  /** The whole body of a broadcast's trigger; bytes. Above it the answer is 413. */
  broadcastBytes: 25_000_000,
  /** `data` of a broadcast's trigger, as JSON; bytes. */
  broadcastDataBytes: 50_000,
  /** Entries of `ids`, `emails` or `per_user_data` of a broadcast's trigger. */
  broadcastRecipients: 10_000,
  /** One call of the Pipelines API, or one message of its batch; bytes. */
  pipelinesMessageBytes: 32_000,
  /** The whole body of the Pipelines API's batch; bytes. */
  pipelinesBatchBytes: 500_000,
} as const

/** Whether `text` takes more than `limit` bytes. Counts the bytes only if the length alone does not decide. */
export function exceedsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return true
  return text.length * 3 > limit && Buffer.byteLength(text) > limit
}

/** Whether `value` as JSON takes more than `limit` bytes. Serialises only if an upper bound does not decide. */
export function exceedsJsonBytes(value: unknown, limit: number): boolean {
  if (jsonBytesAtMost(value) <= limit) return false
  return Buffer.byteLength(JSON.stringify(value) ?? '') > limit
}

/** An upper bound of the JSON's bytes: six per character (an escape), 25 per number. Four times cheaper than stringify. */
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
