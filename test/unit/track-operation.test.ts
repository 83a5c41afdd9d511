import { describe, expect, test } from 'vitest'
import type { StoredIntent } from '../../src/customerio/transports/stored-intent.ts'
import { toTrackCall } from '../../src/customerio/transports/track-call.ts'
import type { Operation } from '../../src/intent/intent.ts'

const ID = '01890a5d-ac96-774b-bcce-b302099a8057'
const ULID = '01H455VB4PEX5VSKNK084SN02Q'
const AT = 1_700_000_000

function sent(operation: Operation, payload: StoredIntent['payload']): unknown {
  const call = toTrackCall({ id: ID, operation, payload, occurredAtSeconds: AT })
  if (call.via !== 'batch') throw new Error(`${operation} does not go to v2`)
  return JSON.parse(JSON.stringify(call.operation))
}

const person = { type: 'person', identifiers: { id: '42' } }

describe('golden: the v2 operation of each intent', () => {
  test.each<[string, Operation, unknown, unknown]>([
    [
      'identify',
      'identify',
      { customerId: '42', attributes: { plan: 'pro', _update: true } },
      { ...person, action: 'identify', attributes: { plan: 'pro', _update: true }, timestamp: AT },
    ],
    [
      'identify without attributes',
      'identify',
      { customerId: '42' },
      { ...person, action: 'identify', timestamp: AT },
    ],
    [
      'identify with relationships',
      'identify',
      {
        customerId: '42',
        attributes: {
          plan: 'pro',
          cio_relationships: [{ identifiers: { object_type_id: '1', object_id: 'acme' } }],
        },
      },
      {
        ...person,
        action: 'identify',
        attributes: { plan: 'pro' },
        timestamp: AT,
        cio_relationships: [{ identifiers: { object_type_id: '1', object_id: 'acme' } }],
      },
    ],
    [
      'identify with relationships in the form of v1',
      'identify',
      {
        customerId: '42',
        attributes: {
          cio_relationships: {
            action: 'add_relationships',
            relationships: [{ identifiers: { object_type_id: '1', object_id: 'acme' } }],
          },
        },
      },
      {
        ...person,
        action: 'identify',
        attributes: {},
        timestamp: AT,
        cio_relationships: [{ identifiers: { object_type_id: '1', object_id: 'acme' } }],
      },
    ],
    [
      'track',
      'track',
      { customerId: 42, name: 'order_placed', data: { total: 12.5 } },
      {
        ...person,
        action: 'event',
        name: 'order_placed',
        id: ULID,
        timestamp: AT,
        attributes: { total: 12.5 },
      },
    ],
    [
      "track with the caller's time and no data",
      'track',
      { identifiers: { email: 'jane@example.com' }, name: 'order_placed', timestamp: 1_600_000_000 },
      {
        type: 'person',
        identifiers: { email: 'jane@example.com' },
        action: 'event',
        name: 'order_placed',
        id: ULID,
        timestamp: 1_600_000_000,
      },
    ],
    [
      'trackPageView',
      'trackPageView',
      { identifiers: { phone: '+4512345678' }, path: '/pricing', data: { referrer: 'https://example.com' } },
      {
        type: 'person',
        identifiers: { phone: '+4512345678' },
        action: 'page',
        name: '/pricing',
        id: ULID,
        timestamp: AT,
        attributes: { referrer: 'https://example.com' },
      },
    ],
    [
      'trackScreen',
      'trackScreen',
      { identifiers: { cio_id: 'a3000001' }, name: 'Dashboard', data: { app_version: '2.1.0' } },
      {
        type: 'person',
        identifiers: { cio_id: 'a3000001' },
        action: 'screen',
        name: 'Dashboard',
        id: ULID,
        timestamp: AT,
        attributes: { app_version: '2.1.0' },
      },
    ],
    [
      'addDevice',
      'addDevice',
      {
        customerId: '42',
        deviceId: 'token-1',
        platform: 'ios',
        data: { last_used: 1_713_484_800, device_os: '17.4' },
      },
      {
        ...person,
        action: 'add_device',
        device: {
          token: 'token-1',
          platform: 'ios',
          last_used: 1_713_484_800,
          attributes: { device_os: '17.4' },
        },
      },
    ],
    [
      'addDevice without data',
      'addDevice',
      { customerId: '42', deviceId: 'token-1', platform: 'android' },
      { ...person, action: 'add_device', device: { token: 'token-1', platform: 'android' } },
    ],
    [
      'deleteDevice',
      'deleteDevice',
      { customerId: '42', deviceId: 'token-1' },
      { ...person, action: 'delete_device', device: { token: 'token-1' } },
    ],
    ['suppress', 'suppress', { customerId: '42' }, { ...person, action: 'suppress' }],
    ['unsuppress', 'unsuppress', { identifiers: { id: 42 } }, { ...person, action: 'unsuppress' }],
    ['destroy', 'destroy', { customerId: '42' }, { ...person, action: 'delete' }],
    [
      'mergeCustomers',
      'mergeCustomers',
      { primary: { id: 42 }, secondary: { email: 'old@example.com' } },
      { type: 'person', action: 'merge', primary: { id: '42' }, secondary: { email: 'old@example.com' } },
    ],
  ])('%s', (_name, operation, payload, expected) => {
    expect(sent(operation, payload)).toEqual(expected)
  })
})

describe('golden: an entity is sent unchanged', () => {
  test.each([
    {
      type: 'object',
      action: 'identify',
      identifiers: { object_type_id: '1', object_id: 'acme' },
      attributes: { name: 'Acme Corp' },
    },
    {
      type: 'object',
      action: 'add_relationships',
      identifiers: { cio_object_id: 'obb7fd050101' },
      cio_relationships: [{ identifiers: { id: '42' }, relationship_attributes: { role: 'admin' } }],
    },
    { type: 'person', action: 'delete_relationships', identifiers: { id: '42' }, cio_relationships: [] },
    { type: 'person', action: 'identify', identifiers: { id: '42' }, attributes: { plan: 'pro' } },
    { type: 'person', action: 'merge', primary: { id: '42' }, secondary: { cio_id: 'a3000001' } },
    {
      type: 'delivery',
      action: 'event',
      identifiers: { id: 'RPIy' },
      name: 'opened',
      attributes: { device_token: 't' },
    },
  ])('$type $action', (entity) => {
    expect(sent('entity', { entity })).toEqual(entity)
  })

  test.each(['event', 'page', 'screen'])("a person's %s gets id and time", (action) => {
    const entity = { type: 'person', action, identifiers: { id: '42' }, name: 'signed_up' }
    expect(sent('entity', { entity })).toEqual({ ...entity, id: ULID, timestamp: AT })
  })

  test("a person's event keeps its own id and time", () => {
    const entity = {
      type: 'person',
      action: 'event',
      identifiers: { id: '42' },
      name: 'signed_up',
      id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      timestamp: 1_600_000_000,
    }
    expect(sent('entity', { entity })).toEqual(entity)
  })
})

describe('rows written by SQL callers', () => {
  test('a null counts as absent', () => {
    const payload = { customerId: '42', identifiers: null, name: 'order_placed', data: null, timestamp: null }
    expect(sent('track', payload)).toEqual({
      ...person,
      action: 'event',
      name: 'order_placed',
      id: ULID,
      timestamp: AT,
    })
  })

  test.each<[Operation, unknown, string]>([
    ['track', 'text', 'track has a payload that is not a JSON object'],
    ['track', null, 'track has a payload that is not a JSON object'],
    ['track', [], 'track has a payload that is not a JSON object'],
    ['track', { customerId: '42' }, 'track: name is required, and must be a string'],
    [
      'track',
      { name: 'x' },
      'track: customerId is required, or identifiers with one of id, email, phone, cio_id',
    ],
  ])('%s with %j is refused as an intent', (operation, payload, message) => {
    expect(() => sent(operation, payload)).toThrow(
      expect.objectContaining({ name: 'InvalidIntentError', code: 'INVALID_INTENT', message }),
    )
  })

  test('a payload cannot override the operation of its row', () => {
    expect(sent('destroy', { operation: 'suppress', customerId: '42' })).toEqual({
      ...person,
      action: 'delete',
    })
  })
})
