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

describe('/batch', () => {
  test('applies every operation in order and answers an empty object', async () => {
    const answer = await client.batch([
      person('u1', 'identify', { attributes: { plan: 'pro' } }),
      person('u1', 'event', { name: 'a', id: ulid, timestamp: 1_700_000_000, attributes: { n: 1 } }),
      person('u2', 'page', { name: '/b' }),
      person('u1', 'screen', { name: 'c' }),
      person('u1', 'add_device', { device: { token: 't', platform: 'ios' } }),
      person('u1', 'delete_device', { device: { token: 't' } }),
      person('u2', 'delete'),
    ])
    expect(answer).toEqual({})
    expect(fake.applied.map(({ ordinal, personKey, action }) => [ordinal, personKey, action])).toEqual([
      [1, 'id:u1', 'identify'],
      [2, 'id:u1', 'event'],
      [3, 'id:u2', 'page'],
      [4, 'id:u1', 'screen'],
      [5, 'id:u1', 'add_device'],
      [6, 'id:u1', 'delete_device'],
      [7, 'id:u2', 'delete'],
    ])
    expect(fake.requests.recent).toMatchObject([{ path: '/api/v2/batch', status: 200, operations: 7 }])
    expect(fake.person({ id: 'u1' })).toMatchObject({ operationCount: 5, lastOrdinal: 6 })
  })

  test('answers 207 with the index of each refused operation, and applies the others', async () => {
    const batch = [
      person('u1', 'event', { name: 'a' }),
      person('u1', 'event'),
      'no operation',
      person('u1', 'event', { name: 'b' }),
      { type: 'robot', action: 'event' },
    ]
    const answer = await post('/api/v2/batch', JSON.stringify({ batch }))
    expect(answer).toEqual({
      status: 207,
      body: {
        errors: [
          { batch_index: 1, reason: 'required', field: 'name', message: 'is required' },
          { batch_index: 2, reason: 'invalid', field: '', message: expect.any(String) },
          { batch_index: 4, reason: 'invalid', field: 'type', message: expect.any(String) },
        ],
      },
    })
    expect(fake.applied.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(fake.counts).toMatchObject({ operations: 5, applied: 2, refused: 3 })
  })

  test.each([
    ['a body that is not JSON', '{"batch":[', ''],
    ['a body that is no object', '[]', ''],
    ['a body without batch', '{}', 'batch'],
    ['a batch that is no array', '{"batch":{}}', 'batch'],
    ['an empty batch', '{"batch":[]}', 'batch'],
  ])('answers 400 to %s', async (_, body, field) => {
    expect(await post('/api/v2/batch', body)).toEqual({
      status: 400,
      body: { errors: [{ reason: 'invalid', field, message: expect.any(String) }] },
    })
  })
})

describe('an event with a repeated ULID', () => {
  test('is dropped and answered 200, on both versions and in upper or lower case', async () => {
    const event = person('u1', 'event', { name: 'a', id: ulid })
    await client.batch([event, event])
    await client.batch([{ ...event, id: ulid.toLowerCase() }])
    await client.track('u2', { name: 'other', id: ulid })
    await client.trackAnonymous('anon', { name: 'other', id: ulid })
    expect(fake.counts).toMatchObject({ applied: 1, duplicates: 4, operations: 5 })
    expect(fake.duplicates[0]).toMatchObject({ ulid, firstOrdinal: 1, sameBody: true, duplicate: true })
    expect(fake.duplicates[2]).toMatchObject({ personKey: 'id:u2', sameBody: false })
    expect(fake.person({ id: 'u2' })).toBeUndefined()
  })

  test('is applied if the first request failed', async () => {
    fake.misbehave({ kind: 'serverError', times: 1 })
    const event = person('u1', 'event', { name: 'a', id: ulid })
    await expect(client.batch([event])).rejects.toMatchObject({ statusCode: 500 })
    await client.batch([event])
    expect(fake.counts).toMatchObject({ applied: 1, duplicates: 0 })
  })
})

describe('/entity', () => {
  test('applies one operation', async () => {
    expect(await client.entity(person('u1', 'identify', { attributes: { a: 1 } }))).toEqual({})
    expect(fake.person({ id: 'u1' })?.attributes).toEqual({ a: 1 })
  })

  test('answers 400 with the name of the wrong field', async () => {
    await expect(client.entity(person('u1', 'fly'))).rejects.toMatchObject({
      statusCode: 400,
      response: expect.anything(),
    })
    expect(await post('/api/v2/entity', JSON.stringify(person('u1', 'fly')))).toEqual({
      status: 400,
      body: { errors: [{ reason: 'invalid', field: 'action', message: 'is not an action of a person' }] },
    })
    expect((await post('/api/v2/entity', '[]')).status).toBe(400)
  })
})

describe('objects, relationships and deliveries', () => {
  test('an object is identified, related, and deleted', async () => {
    const object = { type: 'object', identifiers: acme }
    await client.entity({
      ...object,
      action: 'identify',
      attributes: { name: 'Acme', seats: 5 },
      cio_relationships: [{ identifiers: { id: 'u1' } }],
    })
    await client.entity({
      ...object,
      action: 'add_relationships',
      cio_relationships: [{ identifiers: { email: 'a@b.c' }, relationship_attributes: { role: 'admin' } }],
    })
    await client.entity({ ...object, action: 'identify_anonymous', anonymous_id: 'anon1' })
    await client.entity({
      ...object,
      action: 'delete_relationships',
      cio_relationships: [{ identifiers: { id: 'u1' } }],
    })
    expect(fake.object(acme)).toMatchObject({
      attributes: { name: 'Acme', seats: 5 },
      relationships: { 'email:a@b.c': { role: 'admin' }, 'anonymous_id:anon1': {} },
      deleted: false,
    })
    await client.entity({ ...object, action: 'delete' })
    expect(fake.object(acme)).toMatchObject({ deleted: true, attributes: {}, relationships: {} })
    expect(fake.applied.every(({ personKey }) => personKey === 'object:1/acme')).toBe(true)
  })

  test('a person is related to objects', async () => {
    const relationships = [{ identifiers: acme }, { identifiers: { cio_object_id: 'ob1' } }]
    await client.entity(person('u1', 'identify', { cio_relationships: relationships }))
    await client.entity(
      person('u1', 'delete_relationships', { cio_relationships: relationships.slice(0, 1) }),
    )
    expect(Object.keys(fake.person({ id: 'u1' })?.relationships ?? {})).toEqual(['object:cio/ob1'])
  })

  test('a delivery records a metric', async () => {
    const delivery = { type: 'delivery', action: 'event', identifiers: { id: 'd1' }, name: 'opened' }
    await client.entity({ ...delivery, attributes: { device_token: 't' } })
    expect(fake.delivery('d1').map(({ name }) => name)).toEqual(['opened'])
  })
})
