import type { Intent, Operation } from './intent.ts'

/** Bytes of UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/** Bytes of a JSON value's text, as it is sent. */
export function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value))
}

/**
 * Whether `text` takes more than `limit` bytes. No UTF-16 unit takes more than three, so short texts need no
 * count.
 */
export function isLonger(text: string, limit: number): boolean {
  return text.length * 3 > limit && utf8Bytes(text) > limit
}

const ID = '"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"'
const AT = '"timestamp":9999999999'

/**
 * Per operation, an intent's JSON beside the JSON of the operation that is sent for it, in the form that
 * gains the most bytes: a person by number, no `timestamp`, `data` given.
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
}

const gains = Object.fromEntries(
  Object.entries(FORMS).map(([operation, [intent, sent]]) => [
    operation,
    utf8Bytes(sent) - utf8Bytes(intent),
  ]),
) as Record<Operation, number>

/** By how much {@link wireBytes} may exceed the bytes really sent. */
export const WIRE_BYTES_SLACK = 128

/**
 * The bytes of UTF-8 that Customer.io will be sent for an intent, envelope, event id and timestamp included:
 * never too few, and at most {@link WIRE_BYTES_SLACK} too many.
 */
export function wireBytes(intent: Intent): number {
  return jsonBytes(intent) + gains[intent.operation]
}
