import { IdentifierType, TrackClient } from 'customerio-node'
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

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${fake.url}${path}`, {
    method,
    headers: { authorization: `Basic ${btoa('site:key')}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

describe('the calls of customerio-node', () => {
  test('identify sets attributes, and removes those given as null or empty', async () => {
    await client.identify('u1', { email: 'A@b.c', plan: 'free', city: 'Riga' })
    await client.identify('u1', { plan: 'pro', city: null })
    const person = fake.person({ id: 'u1' })
    expect(person?.attributes).toEqual({ email: 'A@b.c', plan: 'pro' })
    expect(person?.identifiers).toMatchObject({ id: 'u1', email: 'a@b.c' })
    expect(fake.person({ email: 'a@B.c' })).toEqual(person)
    expect(fake.applied.map(({ action, personKey }) => [action, personKey])).toEqual([
      ['identify', 'id:u1'],
      ['identify', 'id:u1'],
    ])
  })

  test('the path names a person by id, email or cio_id', async () => {
    await client.identify('a@b.c', { plan: 'free' })
    const cioId = fake.person({ email: 'a@b.c' })?.identifiers.cio_id ?? ''
    await client.identify(`cio_${cioId}`, { id: 'u 1/ü', plan: 'pro' })
    expect(fake.person({ id: 'u 1/ü' })?.attributes).toMatchObject({ plan: 'pro' })
    await client.identify('cio_unknown', { plan: 'lost' })
    expect(fake.ignored.map(({ why }) => why)).toEqual(['unknown_cio_id'])
  })

  test('track, trackPageView and track of type screen become event, page and screen', async () => {
    await client.track('u1', { name: ' bought ', id: ulid, timestamp: 1_700_000_000, data: { total: 3 } })
    await client.trackPageView('u1', '/pricing')
    await client.track('u1', { name: 'Home', type: 'screen' })
    await client.track('u1', { name: 'odd', type: 'whatever' })
    const events = fake.person({ id: 'u1' })?.events ?? []
    expect(events.map(({ action, name }) => [action, name])).toEqual([
      ['event', 'bought'],
      ['page', '/pricing'],
      ['screen', 'Home'],
      ['event', 'odd'],
    ])
    expect(events[0]).toMatchObject({ ulid, timestamp: 1_700_000_000, body: { attributes: { total: 3 } } })
  })

  test('anonymous events move to the person who is identified with their anonymous_id', async () => {
    await client.trackAnonymous('anon1', { name: 'looked' })
    await client.track('u1', { name: 'signed_up' })
    await client.identify('u1', { anonymous_id: 'anon1' })
    await client.trackAnonymous('anon1', { name: 'looked again' })
    const names = fake.person({ id: 'u1' })?.events.map(({ name }) => name)
    expect(names).toEqual(['looked', 'signed_up', 'looked again'])
    await client.trackAnonymous('', { name: 'invite', data: { recipient: 'a@b.c' } })
    expect(fake.applied.at(-1)).toMatchObject({ personKey: 'anonymous_id:', name: 'invite' })
  })

  test('devices are added, updated and deleted', async () => {
    await client.addDevice('u1', 'tok/1', 'ios', { last_used: 1_700_000_000, app_version: '1.0' })
    await client.addDevice('u1', 'tok/1', 'ios', { app_version: '1.1' })
    await client.addDevice('u1', 'tok2', 'android')
    await client.deleteDevice('u1', 'tok2')
    expect(fake.person({ id: 'u1' })?.devices).toEqual([
      { token: 'tok/1', platform: 'ios', lastUsed: undefined, attributes: { app_version: '1.1' } },
    ])
    await client.deleteDevice('nobody', 'tok2')
    expect(fake.person({ id: 'nobody' })).toBeUndefined()
  })

  test('destroy deletes the person, and a later update creates the person again without the old data', async () => {
    await client.identify('u1', { plan: 'free' })
    await client.destroy('u1')
    expect(fake.person({ id: 'u1' })).toMatchObject({ deleted: true, attributes: {} })
    await client.identify('u1', { city: 'Riga' })
    const person = fake.person({ id: 'u1' })
    expect(person).toMatchObject({ deleted: false, attributes: { city: 'Riga' } })
    expect(person?.operations.map(({ action }) => action)).toEqual(['identify', 'delete', 'identify'])
  })

  test('after suppress, operations on every identifier of the person are ignored until unsuppress', async () => {
    await client.identify('u1', { email: 'a@b.c' })
    await client.suppress('u1')
    await client.identify('u1', { plan: 'pro' })
    await client.track('a@b.c', { name: 'x', id: ulid })
    expect(fake.person({ id: 'u1' })).toMatchObject({ suppressed: true, deleted: true, attributes: {} })
    expect(fake.ignored.map(({ why }) => why)).toEqual(['suppressed', 'suppressed'])
    await client.unsuppress('u1')
    await client.track('a@b.c', { name: 'x', id: ulid })
    expect(fake.person({ email: 'a@b.c' })).toMatchObject({ suppressed: false, deleted: false })
    expect(fake.counts).toMatchObject({ applied: 4, ignored: 2, duplicates: 0 })
  })

  test('merge fills the primary and deletes the secondary', async () => {
    await client.identify('u1', { plan: 'pro' })
    await client.track('u2', { name: 'first' })
    await client.track('u1', { name: 'second' })
    await client.identify('u2', { plan: 'free', city: 'Riga', email: 'two@b.c' })
    await client.mergeCustomers(IdentifierType.Id, 'u1', IdentifierType.Email, 'two@b.c')
    const primary = fake.person({ id: 'u1' })
    expect(primary?.attributes).toEqual({ plan: 'pro', city: 'Riga', email: 'two@b.c' })
    expect(primary?.events.map(({ name }) => name)).toEqual(['first', 'second'])
    expect(fake.person({ id: 'u2' })).toMatchObject({
      deleted: true,
      mergedInto: `cio_id:${primary?.identifiers.cio_id}`,
    })
    expect(fake.person({ email: 'two@b.c' })?.identifiers.id).toBe('u1')
    expect(fake.applied.at(-1)).toMatchObject({ action: 'merge', personKey: 'id:u1' })
  })

  test('a merge without its primary or secondary, or of one person, is answered 200 and ignored', async () => {
    await client.mergeCustomers(IdentifierType.Id, 'u1', IdentifierType.Id, 'u2')
    await client.identify('u1')
    await client.mergeCustomers(IdentifierType.Id, 'u1', IdentifierType.Id, 'u2')
    await client.mergeCustomers(IdentifierType.Id, 'u1', IdentifierType.Id, 'u1')
    expect(fake.ignored.map(({ why }) => why)).toEqual([
      'merge_primary_missing',
      'merge_secondary_missing',
      'merge_same_person',
    ])
  })

  test('trackPush reports a metric of a delivery', async () => {
    await client.trackPush({ delivery_id: 'd1', event: 'opened', device_id: 'tok', timestamp: 1_700_000_000 })
    await client.trackPush({ delivery_id: 'd1', event: 'converted' })
    expect(fake.delivery('d1').map(({ name, timestamp }) => [name, timestamp])).toEqual([
      ['opened', 1_700_000_000],
      ['converted', undefined],
    ])
  })

  test('the region comes from the options of the fake', async () => {
    expect(await client.getAccountRegion()).toEqual({
      url: 'https://track.customer.io',
      region: 'us',
      environment_id: 1,
    })
    await using european = await startFakeCustomerIo({ region: 'eu' })
    const other = new TrackClient('site', 'key', { url: `${european.url}/api/v1` })
    expect(await other.getAccountRegion()).toEqual({
      url: 'https://track-eu.customer.io',
      region: 'eu',
      environment_id: 1,
    })
  })
})

describe('fields of v1', () => {
  test('cio_relationships adds and deletes relationships', async () => {
    const relationship = { identifiers: { object_type_id: '1', object_id: 'acme' } }
    const add = {
      action: 'add_relationships',
      relationships: [{ ...relationship, relationship_attributes: { role: 'x' } }],
    }
    await call('PUT', '/api/v1/customers/u1', { cio_relationships: add })
    expect(fake.person({ id: 'u1' })).toMatchObject({
      relationships: { 'object:1/acme': { role: 'x' } },
      attributes: {},
    })
    const remove = { action: 'delete_relationships', relationships: [relationship] }
    await call('PUT', '/api/v1/customers/u1', { cio_relationships: remove })
    expect(fake.person({ id: 'u1' })?.relationships).toEqual({})
  })

  test('_timestamp orders attribute updates', async () => {
    await client.identify('u1', { plan: 'new', _timestamp: 1_700_000_002 })
    await client.identify('u1', { plan: 'old', city: 'Riga', _timestamp: 1_700_000_001 })
    expect(fake.person({ id: 'u1' })?.attributes).toEqual({ plan: 'new', city: 'Riga' })
    expect(fake.applied.map(({ timestamp }) => timestamp)).toEqual([1_700_000_002, 1_700_000_001])
  })

  test('identify with _update updates a person, and creates none', async () => {
    await client.identify('u1', { plan: 'pro', _update: true })
    expect(fake.person({ id: 'u1' })).toBeUndefined()
    expect(fake.ignored[0]?.why).toBe('update_only')
    await client.identify('u1', { plan: 'free' })
    await client.identify('u1', { plan: 'pro', _update: true })
    expect(fake.person({ id: 'u1' })?.attributes).toEqual({ plan: 'pro' })
  })

  test('identify skips an identifier that belongs to another person, but updates that person if the path names an unknown one', async () => {
    await client.identify('u1', { email: 'a@b.c' })
    await client.identify('u2', { plan: 'pro' })
    await client.identify('u2', { email: 'a@b.c', city: 'Riga' })
    expect(fake.person({ id: 'u2' })?.attributes).toEqual({ plan: 'pro', city: 'Riga' })
    await client.identify('one@b.c', { id: 'u2' })
    expect(fake.person({ email: 'one@b.c' })?.identifiers.id).toBe('u2')
    await client.identify('u3', { email: 'a@b.c' })
    expect(fake.person({ email: 'a@b.c' })?.identifiers.id).toBe('u3')
    expect(fake.person({ id: 'u1' })).toBeUndefined()
  })

  test.each<[string, string, string, unknown, unknown]>([
    ['identify', 'PUT', '/customers/u1', '[]', { meta: { error: 'the body must be a JSON object' } }],
    ['identify', 'PUT', '/customers/u1', '{', { meta: { error: 'the body must be a JSON object' } }],
    ['event', 'POST', '/customers/u1/events', {}, { meta: { errors: ['name is required'] } }],
    [
      'anonymous event',
      'POST',
      '/events',
      { name: '' },
      { meta: { errors: [expect.stringContaining('name')] } },
    ],
    ['device', 'PUT', '/customers/u1/devices', {}, { meta: { errors: ['device is required'] } }],
    [
      'merge',
      'POST',
      '/merge_customers',
      { primary: { id: 'a' } },
      { meta: { error: 'secondary is required' } },
    ],
    [
      'push',
      'POST',
      '/push/events',
      { delivery_id: 'd' },
      { meta: { errors: [expect.stringContaining('name')] } },
    ],
  ])('a malformed %s is answered 400 as documented', async (_, method, path, body, expected) => {
    expect(await call(method, `/api/v1${path}`, body)).toEqual({ status: 400, body: expected })
    expect(fake.counts.applied).toBe(0)
  })

  test('an unknown path or method is answered 404', async () => {
    for (const [method, path] of [
      ['GET', '/api/v1/customers/u1'],
      ['POST', '/api/v1/customers/u1/devices'],
      ['POST', '/api/v1/nothing'],
      ['PUT', '/api/v1/customers/'],
      ['POST', '/api/v2/nothing'],
      ['GET', '/'],
    ] as const)
      expect((await call(method, path)).status).toBe(404)
  })
})
