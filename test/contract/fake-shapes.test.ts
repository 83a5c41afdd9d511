import { TrackClient } from 'customerio-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'

let fake: FakeCustomerIo
let client: TrackClient

beforeEach(async () => {
  fake = await startFakeCustomerIo()
  client = new TrackClient('site', 'key', { url: `${fake.url}/api/v1`, retry: { maxRetries: 0 } })
})
afterEach(() => fake.close())

const ulid = '01HNZX8JGFACFA36RBXDHEQN6E'
const person = (id: string, action: string, rest: object = {}) => ({
  type: 'person',
  identifiers: { id },
  action,
  ...rest,
})
const acme = { object_type_id: '1', object_id: 'acme' }

async function post(path: string, body: string): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Basic ${btoa('site:key')}`, 'content-type': 'application/json' }
  const response = await fetch(`${fake.url}${path}`, { method: 'POST', headers, body })
  return { status: response.status, body: await response.json() }
}

describe('shapes', () => {
  const event = { name: 'a' }
  test.each<[string, unknown, string]>([
    ['no type', { action: 'event' }, 'type'],
    ['no action', { type: 'person', identifiers: { id: 'u' } }, 'action'],
    ['no identifiers', { type: 'person', action: 'event', ...event }, 'identifiers'],
    ['no identifier', { type: 'person', action: 'delete', identifiers: {} }, 'identifiers'],
    [
      'two identifiers',
      { type: 'person', action: 'delete', identifiers: { id: 'u', email: 'a@b' } },
      'identifiers',
    ],
    ['an unknown identifier', { type: 'person', action: 'delete', identifiers: { uid: 'u' } }, 'identifiers'],
    ['an empty id', person('', 'delete'), 'identifiers.id'],
    ['a null id', { type: 'person', action: 'delete', identifiers: { id: null } }, 'identifiers.id'],
    [
      'an invalid email address',
      { type: 'person', action: 'delete', identifiers: { email: 'x' } },
      'identifiers.email',
    ],
    [
      'an invalid phone number',
      { type: 'person', action: 'delete', identifiers: { phone: '123' } },
      'identifiers.phone',
    ],
    [
      'an identify by anonymous_id',
      { type: 'person', action: 'identify', identifiers: { anonymous_id: 'x' } },
      'identifiers',
    ],
    ['a name that is no string', person('u', 'event', { name: 1 }), 'name'],
    ['a blank name', person('u', 'event', { name: '  ' }), 'name'],
    ['attributes that are no object', person('u', 'event', { ...event, attributes: [] }), 'attributes'],
    ['an identify with a list of attributes', person('u', 'identify', { attributes: [] }), 'attributes'],
    [
      '_update that is no boolean',
      person('u', 'identify', { attributes: { _update: 1 } }),
      'attributes._update',
    ],
    [
      'a timestamp in milliseconds',
      person('u', 'event', { ...event, timestamp: 1_700_000_000_000 }),
      'timestamp',
    ],
    ['a timestamp with a fraction', person('u', 'event', { ...event, timestamp: 1.5 }), 'timestamp'],
    ['a timestamp as text', person('u', 'identify', { timestamp: '1700000000' }), 'timestamp'],
    ['a negative timestamp', person('u', 'identify', { timestamp: -1 }), 'timestamp'],
    ['a ULID too short', person('u', 'event', { ...event, id: ulid.slice(1) }), 'id'],
    ['a ULID with a U', person('u', 'event', { ...event, id: `${ulid.slice(0, 25)}U` }), 'id'],
    ['a ULID past 128 bits', person('u', 'event', { ...event, id: `8${ulid.slice(1)}` }), 'id'],
    ['a UUID', person('u', 'event', { ...event, id: '018d7fd3-4a0f-7000-8000-000000000000' }), 'id'],
    ['no device', person('u', 'add_device'), 'device'],
    ['no token', person('u', 'add_device', { device: { platform: 'ios' } }), 'device.token'],
    ['no platform', person('u', 'add_device', { device: { token: 't' } }), 'device.platform'],
    [
      'another platform',
      person('u', 'add_device', { device: { token: 't', platform: 'web' } }),
      'device.platform',
    ],
    [
      'last_used in milliseconds',
      person('u', 'add_device', { device: { token: 't', platform: 'ios', last_used: 1_700_000_000_000 } }),
      'device.last_used',
    ],
    ['no token to delete', person('u', 'delete_device', { device: {} }), 'device.token'],
    ['no relationships', person('u', 'add_relationships'), 'cio_relationships'],
    ['a merge without primary', { type: 'person', action: 'merge', secondary: { id: 'b' } }, 'primary'],
    [
      'a merge by phone',
      { type: 'person', action: 'merge', primary: { id: 'a' }, secondary: { phone: '+1' } },
      'secondary',
    ],
    [
      'a merge with two identifiers of one person',
      { type: 'person', action: 'merge', primary: { id: 'a', email: 'a@b' }, secondary: { id: 'b' } },
      'primary',
    ],
    [
      'an object without object_id',
      { type: 'object', action: 'delete', identifiers: { object_type_id: '1' } },
      'identifiers.object_id',
    ],
    [
      'an object type that is no integer',
      { type: 'object', action: 'delete', identifiers: { object_type_id: 'x', object_id: 'a' } },
      'identifiers.object_type_id',
    ],
    [
      'an object with two kinds of identifier',
      { type: 'object', action: 'delete', identifiers: { ...acme, cio_object_id: 'c' } },
      'identifiers',
    ],
    ['an unknown action of an object', { type: 'object', action: 'event', identifiers: acme }, 'action'],
    [
      'a relationship without a person',
      { type: 'object', action: 'add_relationships', identifiers: acme, cio_relationships: [{}] },
      'cio_relationships[0].identifiers',
    ],
    [
      'an unknown metric',
      { type: 'delivery', action: 'event', identifiers: { id: 'd' }, name: 'bounced' },
      'name',
    ],
    [
      'a delivery without device',
      { type: 'delivery', action: 'event', identifiers: { id: 'd' }, name: 'opened' },
      'attributes',
    ],
  ])('%s: the operation is refused', async (_, operation, field) => {
    const answer = await post('/api/v2/batch', JSON.stringify({ batch: [operation] }))
    expect(answer).toMatchObject({ status: 207, body: { errors: [{ batch_index: 0, field }] } })
    expect(fake.counts.applied).toBe(0)
  })

  test('a number is accepted as an id, and every kind of identifier may name a person', async () => {
    const identifiers = [{ id: 42 }, { email: 'a@b.c' }, { phone: '+37120000000' }]
    await client.batch(identifiers.map((each) => ({ type: 'person', action: 'identify', identifiers: each })))
    await client.batch([
      { type: 'person', action: 'event', name: 'x', identifiers: { anonymous_id: 'anon' } },
      {
        type: 'person',
        action: 'event',
        name: 'x',
        identifiers: { cio_id: fake.person({ id: 42 })?.identifiers.cio_id },
      },
    ])
    expect(fake.applied.map(({ personKey }) => personKey.replace(/^cio_id:.*/, 'cio_id'))).toEqual([
      'id:42',
      'email:a@b.c',
      'phone:+37120000000',
      'anonymous_id:anon',
      'cio_id',
    ])
    expect(fake.person({ id: '42' })?.events).toHaveLength(1)
  })
})
