/*
 * How large an intent is, in bytes of UTF-8 on the wire. The limits that these sizes are compared with are in `limits.ts`. For
 * the limits of a request see `src/customerio/transports/request-limits.ts`.
 */
import type { Intent, Operation } from './intent.ts'

/** Bytes of UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/** Bytes of a JSON value as it is sent. */
export function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value))
}

/**
 * Whether `text` takes more than `limit` bytes. A UTF-16 unit takes three bytes at most, so a short text is not
 * counted.
 */
export function isLonger(text: string, limit: number): boolean {
  return text.length * 3 > limit && utf8Bytes(text) > limit
}

const ID = '"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"'
const AT = '"timestamp":9999999999'
/** The envelope of customerio-node around a Pipelines call, with a longer version number than any that exists. */
const ENVELOPE =
  '"messageId":"00000000-0000-0000-0000-000000000000","timestamp":"2026-01-01T00:00:00.000Z",' +
  '"context":{"library":{"name":"customerio-node","version":"10.10.10-rc.1"}}'

/**
 * For each operation, the JSON of an intent and the JSON that is sent for it, in the form that adds the most bytes: a
 * person by number, no `timestamp`, with `data`.
 */
const FORMS: Readonly<Record<Operation, readonly [intent: string, sent: string]>> = {
  identify: [
    '{"operation":"identify","customerId":1,"attributes":{"cio_relationships":[]}}',
    `{"type":"person","identifiers":{"id":"1"},"action":"identify",${AT},"attributes":{},"cio_relationships":[]}`,
  ],
  track: [
    '{"operation":"track","customerId":1,"name":"","data":{}}',
    `{"type":"person","identifiers":{"id":"1"},"action":"event","name":"",${ID},${AT},"attributes":{}}`,
  ],
  trackPageView: [
    '{"operation":"trackPageView","customerId":1,"path":"","data":{}}',
    `{"type":"person","identifiers":{"id":"1"},"action":"page","name":"",${ID},${AT},"attributes":{}}`,
  ],
  trackScreen: [
    '{"operation":"trackScreen","customerId":1,"name":"","data":{}}',
    `{"type":"person","identifiers":{"id":"1"},"action":"screen","name":"",${ID},${AT},"attributes":{}}`,
  ],
  addDevice: [
    '{"operation":"addDevice","customerId":1,"deviceId":"","platform":"","data":{}}',
    '{"type":"person","identifiers":{"id":"1"},"action":"add_device","device":{"token":"","platform":"","attributes":{}}}',
  ],
  deleteDevice: [
    '{"operation":"deleteDevice","customerId":1,"deviceId":""}',
    '{"type":"person","identifiers":{"id":"1"},"action":"delete_device","device":{"token":""}}',
  ],
  suppress: [
    '{"operation":"suppress","customerId":1}',
    '{"type":"person","identifiers":{"id":"1"},"action":"suppress"}',
  ],
  unsuppress: [
    '{"operation":"unsuppress","customerId":1}',
    '{"type":"person","identifiers":{"id":"1"},"action":"unsuppress"}',
  ],
  destroy: [
    '{"operation":"destroy","customerId":1}',
    '{"type":"person","identifiers":{"id":"1"},"action":"delete"}',
  ],
  mergeCustomers: [
    '{"operation":"mergeCustomers","primary":{"id":1},"secondary":{"id":2}}',
    '{"type":"person","action":"merge","primary":{"id":"1"},"secondary":{"id":"2"}}',
  ],
  entity: ['{"operation":"entity","entity":{"type":""}}', `{"type":"",${ID},${AT}}`],
  // The form of v2. The form of v1 is smaller.
  trackAnonymous: [
    '{"operation":"trackAnonymous","anonymousId":"","name":"","data":{}}',
    `{"type":"person","identifiers":{"anonymous_id":""},"action":"event","name":"",${ID},${AT},"attributes":{}}`,
  ],
  trackPush: [
    '{"operation":"trackPush","deliveryId":"","deviceId":"","event":""}',
    `{"delivery_id":"","device_id":"","event":"",${AT}}`,
  ],
  sendEmail: [
    '{"operation":"sendEmail","message":{"identifiers":{"id":1}}}',
    '{"identifiers":{"id":"1"},"headers":{}}',
  ],
  sendPush: [
    '{"operation":"sendPush","message":{"identifiers":{"id":1},"device":{}}}',
    '{"identifiers":{"id":"1"},"custom_device":{}}',
  ],
  sendSMS: ['{"operation":"sendSMS","message":{"identifiers":{"id":1}}}', '{"identifiers":{"id":"1"}}'],
  sendInboxMessage: [
    '{"operation":"sendInboxMessage","message":{"identifiers":{"id":1}}}',
    '{"identifiers":{"id":"1"}}',
  ],
  sendInApp: ['{"operation":"sendInApp","message":{"identifiers":{"id":1}}}', '{"identifiers":{"id":"1"}}'],
  triggerBroadcast: [
    '{"operation":"triggerBroadcast","broadcastId":1,"data":{},"recipients":{}}',
    '{"data":{},"recipients":{}}',
  ],
  'pipelines.identify': pipelines('identify'),
  'pipelines.track': pipelines('track'),
  'pipelines.page': pipelines('page'),
  'pipelines.screen': pipelines('screen'),
  'pipelines.group': pipelines('group'),
  'pipelines.alias': [
    '{"operation":"pipelines.alias","message":{"userId":1,"previousId":1}}',
    `{"userId":"1","previousId":"1",${ENVELOPE}}`,
  ],
}

function pipelines(type: string): readonly [intent: string, sent: string] {
  return [
    `{"operation":"pipelines.${type}","message":{"userId":1}}`,
    `{"userId":"1",${ENVELOPE},"type":"${type}"}`,
  ]
}

const gains = Object.fromEntries(
  Object.entries(FORMS).map(([operation, [intent, sent]]) => [
    operation,
    utf8Bytes(sent) - utf8Bytes(intent),
  ]),
) as Record<Operation, number>

/** Bytes of `{}`, the smallest body. */
const EMPTY_BODY = 2

/** The most bytes by which {@link wireBytes} exceeds what is sent. */
export const WIRE_BYTES_SLACK = 160

/**
 * An upper bound of the bytes that are sent for an intent, without serialising it.
 *
 * @param payloadBytes Bytes of UTF-8 of the payload as JSON.
 */
export function wireBytesAtMost(operation: Operation, payloadBytes: number): number {
  return Math.max(EMPTY_BODY, payloadBytes + utf8Bytes(`"operation":"${operation}",`) + gains[operation])
}

/**
 * The bytes of UTF-8 that are sent to Customer.io for an intent, with envelope, event id and timestamp. Never too low, and
 * at most {@link WIRE_BYTES_SLACK} too high.
 */
export function wireBytes(intent: Intent): number {
  return Math.max(EMPTY_BODY, jsonBytes(intent) + gains[intent.operation])
}
