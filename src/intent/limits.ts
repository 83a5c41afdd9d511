/**
 * Customer.io's limits, in one place. Bytes are bytes of UTF-8.
 *
 * Sources: [errors] https://customer.io/docs/journeys/invalid-api-requests/,
 * [track] https://docs.customer.io/api/track/ (v2, `/entity` and `/batch`),
 * [pipelines] https://docs.customer.io/api/cdp/ (`/batch`).
 */

/** A person's or an object's identifier, whatever its kind. [track] */
export const MAX_PERSON_ID_BYTES = 150

/** "attribute name cannot be longer than 150 bytes" [errors] */
export const MAX_ATTRIBUTE_NAME_BYTES = 150

/**
 * "value for attribute … cannot be longer than 1000 bytes" [errors] A string counts as its text, another
 * value as its JSON.
 */
export const MAX_ATTRIBUTE_VALUE_BYTES = 1_000

/** "cannot identify more than 300 attributes in one request" [errors] */
export const MAX_ATTRIBUTES = 300

/**
 * "event name cannot be longer than 100 bytes" [errors]; a page's path and a screen's name are event names.
 */
export const MAX_EVENT_NAME_BYTES = 100

/**
 * One operation of Track or Pipelines, envelope included. "Each of the requests within the batch must also be
 * 32kb or smaller" [track], "32KB per call in the request" [pipelines]: kept below 32,000, so that it holds
 * whichever of 1,000 and 1,024 a kb is. It binds before v1's 100,000 bytes of event data.
 */
export const MAX_OPERATION_BYTES = 32_000

/**
 * One batch, envelope included. "Your batch request must be smaller than 500kb" [track], "Requests are limited
 * to 500KB total per request" [pipelines]: kept well below.
 */
export const MAX_BATCH_BYTES = 480_000

/** Items of one batch. No limit is published: this package's own bound, for the API's and the relay's sake. */
export const MAX_BATCH_COUNT = 2_000

/**
 * The contents of an email's attachments together, before base64. No size is published in a description that
 * this package is checked against: its own bound, below the two megabytes that Customer.io is known to take.
 */
export const MAX_ATTACHMENTS_BYTES = 2_000_000

/**
 * One transactional message or broadcast, attachments in base64 included. This package's own bound: two
 * megabytes of attachments are 2,666,668 bytes, and the rest is for the message.
 */
export const MAX_MESSAGE_BYTES = 3_000_000

/**
 * Levels of objects and arrays within one field. This package's own bound: no Customer.io feature needs more.
 */
export const MAX_DEPTH = 32

/**
 * The greatest timestamp: ten digits of seconds, the year 2286. Greater ones are milliseconds taken for
 * seconds.
 */
export const MAX_TIMESTAMP_SECONDS = 9_999_999_999

/** Keys that the database stores: `dedupKey` and `orderingKey`. This package's own bound. */
export const MAX_KEY_BYTES = 500

/** What one request of each API may take of an intent. */
export const MAX_WIRE_BYTES = {
  track: MAX_OPERATION_BYTES,
  pipelines: MAX_OPERATION_BYTES,
  app: MAX_MESSAGE_BYTES,
  broadcast: MAX_MESSAGE_BYTES,
} as const
