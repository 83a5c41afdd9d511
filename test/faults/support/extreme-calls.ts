import fc from 'fast-check'
import { OPERATIONS } from '../../../src/intent/operations.ts'

/** Parameters of `outbox.enqueue` as text, which the server casts. null means NULL. */
export type Call = Readonly<Record<string, string | null>>

export const PARAMETERS: Readonly<Record<string, string>> = {
  operation: 'text',
  payload: 'jsonb',
  dedup_key: 'text',
  dedup_window: 'interval',
  ordering_key: 'text',
  send_after: 'timestamptz',
  expires_at: 'timestamptz',
  workspace: 'text',
  on_ambiguous: 'text',
  priority: 'text',
}

const LONG = 'x'.repeat(1_000_000)
const CONTROL = 'a\u0001\u001b[2J\r\n\tb\u007f\u2028'
const TEXTS = [
  '',
  ' ',
  CONTROL,
  LONG,
  'é'.repeat(250),
  'é'.repeat(251),
  '𐀀',
  "'; DROP TABLE outbox.intents; --",
]
const TIMES = [
  ...[
    'infinity',
    '-infinity',
    'epoch',
    'now',
    'tomorrow',
    '294276-12-31 23:59:59+00',
    '4713-01-01 00:00:00+00 BC',
  ],
  ...['1969-12-31 23:59:59+00', '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00', '0001-01-01 BC'],
]
const WINDOWS = [
  ...['infinity', '-infinity', '0', '-1 day', '1 microsecond', '3653 days', '3654 days', '10 years'],
  ...['178000000 years', '-178000000 years', '2147483647 days', '2147483647 days -71582788 months'],
]
const NUMBERS = [
  ...['9007199254740993', '1e400', '-1e400', '1e-400', '1e20000', '1.0', '-0', '0.1', '1e21', '5e-324'],
  ...['1.7976931348623157e308', '1152921504606847000', '0.12345678901234567890', '123456789.123456789'],
]
const IDS = [
  ...NUMBERS,
  ...['{"toString":1}', '{"toJSON":1,"valueOf":null}', '[]', '["a"]', 'true', 'false', 'null', '""', '" "'],
  ...[JSON.stringify(CONTROL), JSON.stringify(LONG), JSON.stringify('é'.repeat(251)), '"__proto__"'],
]
const DEEP = `${'['.repeat(2_000)}1e400${']'.repeat(2_000)}`
const VALUES = [...IDS, DEEP, '{"__proto__":{"customerId":1}}', '{"constructor":{"prototype":1}}']
const id = fc.constantFrom(...IDS)
const value = fc.constantFrom(...VALUES)
const field = fc.constantFrom(
  ...['data', 'attributes', 'name', 'timestamp', 'identifiers', 'message', 'recipients', 'entity', 'primary'],
  ...['secondary', 'deviceId', 'platform', 'broadcastId', 'anonymousId', 'deliveryId', 'event', '__proto__'],
)
const payload = fc.oneof(
  id.map((one) => `{"customerId":${one},"name":"extreme"}`),
  id.map((one) => `{"identifiers":{"id":${one}},"name":"extreme"}`),
  id.map((one) => `{"message":{"userId":${one},"event":"extreme","to":${one},"identifiers":{"id":${one}}}}`),
  id.map((one) => `{"broadcastId":1,"recipients":{"emails":[${one}],"per_user_data":[{"id":${one}}]}}`),
  value.map((one) => `{"customerId":"extreme","name":"extreme","data":{"a":${one}}}`),
  value.map((one) => `{"customerId":"extreme","timestamp":${one},"name":${one}}`),
  fc.tuple(field, value).map(([name, one]) => `{"customerId":"extreme","name":"extreme","${name}":${one}}`),
  value.map((one) => `{"entity":{"type":"person","action":"event","identifiers":{"id":"e"},"name":${one}}}`),
  value,
)

const EXTREMES: Readonly<Record<string, fc.Arbitrary<string | null>>> = {
  operation: fc.constantFrom(...OPERATIONS, ...TEXTS, null),
  payload: fc.oneof({ weight: 20, arbitrary: payload }, { weight: 1, arbitrary: fc.constant(null) }),
  dedup_key: fc.constantFrom(...TEXTS, 'k', null),
  dedup_window: fc.constantFrom(...WINDOWS, null),
  ordering_key: fc.constantFrom(...TEXTS, 'k', null),
  send_after: fc.constantFrom(...TIMES, null),
  expires_at: fc.constantFrom(...TIMES, null),
  workspace: fc.constantFrom('default', 'unknown', 'x'.repeat(63), 'x'.repeat(64), 'a/b', ...TEXTS, null),
  on_ambiguous: fc.constantFrom('park', 'resend', ...TEXTS, null),
  priority: fc.constantFrom('normal', 'bulk', ...TEXTS, null),
}

const ORDINARY: Call = { operation: 'track', payload: '{"customerId":"extreme","name":"extreme"}' }

/** A call with extreme values for one to three parameters and ordinary values for the others. */
export const extremeCall: fc.Arbitrary<Call> = fc
  .subarray(Object.keys(EXTREMES), { minLength: 1, maxLength: 3 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) => (EXTREMES[name] as fc.Arbitrary<string | null>).map((one) => [name, one])),
    ),
  )
  .map((changed) => ({ ...ORDINARY, ...Object.fromEntries(changed) }))

/** Parameters of `outbox.enqueue_wire_with`, and their types. Those of the options are the same as of `outbox.enqueue`. */
export const WIRE_PARAMETERS: Readonly<Record<string, string>> = {
  operation: 'text',
  person_kind: 'text',
  person: 'text',
  name: 'text',
  attributes: 'text',
  occurred_at: 'bigint',
  ...Object.fromEntries(
    Object.entries(PARAMETERS).filter(([name]) => !['operation', 'payload'].includes(name)),
  ),
}

const { payload: _payload, ...OPTION_EXTREMES } = EXTREMES
const WIRE_EXTREMES: Readonly<Record<string, fc.Arbitrary<string | null>>> = {
  ...OPTION_EXTREMES,
  person_kind: fc.constantFrom(
    'id',
    'email',
    'phone',
    'cio_id',
    'anonymous_id',
    'id":"x","email',
    ...TEXTS,
    null,
  ),
  person: fc.constantFrom(...TEXTS, 'É@example.com', null),
  name: fc.constantFrom(...TEXTS, null),
  attributes: fc.oneof(
    value,
    value.map((one) => `{"a":${one}}`),
    fc.constantFrom(
      ...TEXTS,
      '{},"id":"x"',
      '{}},{"a":1',
      String.raw`{"a":"\\u0000"}`,
      '{"a":"\ud800"}',
      null,
    ),
  ),
  occurred_at: fc.constantFrom(
    '-1',
    '0',
    '9999999999',
    '10000000000',
    '9223372036854775807',
    '1.5',
    'now',
    null,
  ),
}

export const ORDINARY_WIRE: Call = {
  operation: 'track',
  person_kind: 'id',
  person: 'extreme',
  name: 'extreme',
  attributes: '{"a":1}',
  occurred_at: null,
}

/** A call of `outbox.enqueue_wire_with` with extreme values for one or two parameters and ordinary values for the others. */
export const extremeWireCall: fc.Arbitrary<Call> = fc
  .subarray(Object.keys(WIRE_EXTREMES), { minLength: 1, maxLength: 2 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) => (WIRE_EXTREMES[name] as fc.Arbitrary<string | null>).map((one) => [name, one])),
    ),
  )
  .map((changed) => ({ ...ORDINARY_WIRE, ...Object.fromEntries(changed) }))

/** An element of the array of `outbox.enqueue_many`: an extreme call, an extreme value, or a call with one as a parameter. */
export const extremeElement: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: extremeCall.map(toElement) },
  { weight: 1, arbitrary: value },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...Object.keys(PARAMETERS)), value)
      .map(([name, one]) => `{"operation":"track","payload":{"customerId":"extreme"},"${name}":${one}}`),
  },
)

function toElement(call: Call): string {
  const fields = Object.entries(call).map(
    ([name, one]) => `${JSON.stringify(name)}:${name === 'payload' ? one : JSON.stringify(one)}`,
  )
  return `{${fields.join(',')}}`
}
