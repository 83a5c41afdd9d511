/**
 * Customer.io's limits, in one place. Bytes are bytes of UTF-8.
 *
 * Sources: [errors] https://customer.io/docs/journeys/invalid-api-requests/,
 * [track] https://docs.customer.io/api/track/ (v2, `/entity` and `/batch`),
 * [pipelines] https://docs.customer.io/api/cdp/ (`/batch`).
 */

/** An identifier of a person or an object, of any kind. [track] */
export const MAX_PERSON_ID_BYTES = 150

/** "attribute name cannot be longer than 150 bytes" [errors] */
export const MAX_ATTRIBUTE_NAME_BYTES = 150

/**
 * "value for attribute … cannot be longer than 1000 bytes" [errors]. A string is measured as text, any other value as
 * JSON.
 */
export const MAX_ATTRIBUTE_VALUE_BYTES = 1_000

/** "cannot identify more than 300 attributes in one request" [errors] */
export const MAX_ATTRIBUTES = 300

/**
 * "event name cannot be longer than 100 bytes" [errors]. The path of a page and the name of a screen are event names.
 */
export const MAX_EVENT_NAME_BYTES = 100

/**
 * One operation of Track or Pipelines, envelope included. "Each of the requests within the batch must also be 32kb or
 * smaller" [track], "32KB per call in the request" [pipelines]. At most 32,000, which is safe whether a kb has 1,000
 * bytes or 1,024. This limit is lower than v1's limit of 100,000 bytes for the data of an event.
 */
export const MAX_OPERATION_BYTES = 32_000

/**
 * One batch, envelope included. "Your batch request must be smaller than 500kb" [track], "Requests are limited to 500KB
 * total per request" [pipelines]. 480,000 leaves a margin.
 */
export const MAX_BATCH_BYTES = 480_000

/** Items of one batch. Customer.io publishes no limit: this limit is ours, to protect the API and the relay. */
export const MAX_BATCH_COUNT = 2_000

/**
 * The attachments of an email together, before base64. The published API descriptions have no size: this limit is ours,
 * below the two megabytes that Customer.io is known to take.
 */
export const MAX_ATTACHMENTS_BYTES = 2_000_000

/**
 * One transactional message or broadcast, attachments in base64 included. This limit is ours: two megabytes of
 * attachments take 2,666,668 bytes in base64, and the rest is for the message.
 */
export const MAX_MESSAGE_BYTES = 3_000_000

/**
 * Levels of objects and arrays within one field. This limit is ours: no feature of Customer.io needs more.
 */
export const MAX_DEPTH = 32

/**
 * The greatest timestamp: ten digits of seconds, the year 2286. A greater one is in milliseconds by mistake.
 */
export const MAX_TIMESTAMP_SECONDS = 9_999_999_999

/** Keys that the database stores: `dedupKey` and `orderingKey`. This limit is ours. */
export const MAX_KEY_BYTES = 500

/** Maximum bytes of one intent on the wire, by API. */
export const MAX_WIRE_BYTES = {
  track: MAX_OPERATION_BYTES,
  pipelines: MAX_OPERATION_BYTES,
  app: MAX_MESSAGE_BYTES,
  broadcast: MAX_MESSAGE_BYTES,
} as const
