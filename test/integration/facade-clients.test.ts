import {
  APIClient,
  IdentifierType,
  PipelinesClient,
  RegionUS,
  SendEmailRequest,
  SendInAppRequest,
  SendInboxMessageRequest,
  SendPushRequest,
  SendSMSRequest,
  TrackClient,
} from 'customerio-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OutboxApiClient, OutboxPipelinesClient, OutboxTrackClient } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

/** `harness.fake` gets the requests of the outbox, `direct` those of customerio-node itself. Their states must be equal. */
let harness: Harness
let direct: FakeCustomerIo
beforeAll(async () => {
  harness = await startHarness()
  direct = await startFakeCustomerIo()
  const { url } = harness.fake
  await harness.relay({
    customerio: {
      siteId: 'site',
      trackApiKey: 'key',
      appApiKey: 'key',
      pipelinesWriteKey: 'key',
      trackUrl: url,
      appUrl: url,
      pipelinesUrl: url,
      requestsPerSecond: { broadcast: 1_000 },
    },
  })
})
beforeEach(() => {
  harness.fake.reset()
  direct.reset()
})
afterEach(async () => {
  expect(await harness.db.rows('SELECT operation, reason, message FROM outbox.dead_letters')).toEqual([])
})
afterAll(async () => {
  await harness.close()
  await direct.close()
})

/** Times and an event id that both must send unchanged. Other times and ids are not compared: the outbox adds its own. */
const WRITTEN = new Date('2026-01-02T03:04:05.678Z')
const AT = 1_700_000_000
const EVENT_ID = '01H455VB4PEX5VSKNK084SN02Q'

type Track = TrackClient | OutboxTrackClient
type Step = (client: Track) => Promise<unknown>

const TRACK: [name: string, ...steps: Step[]][] = [
  ['identify', (c) => c.identify('u1', { email: 'jane@example.com', plan: 'pro', joined: WRITTEN })],
  ['identify of a number', (c) => c.identify(42, { plan: 'pro' })],
  ['identify by email', (c) => c.identify('Jane@example.com', { plan: 'pro' })],
  ['identify without attributes', (c) => c.identify('u1')],
  ['identify by an unknown cio_id', (c) => c.identify('cio_a3000001', { plan: 'pro' })],
  [
    'identify with _update',
    (c) => c.identify('u1', { plan: 'free' }),
    (c) => c.identify('u1', { plan: 'pro', _update: true }),
    (c) => c.identify('u2', { plan: 'pro', _update: true }),
  ],
  ['identify at a time', (c) => c.identify('u1', { plan: 'pro', _timestamp: AT })],
  [
    'identify with relationships',
    (c) =>
      c.identify('u1', {
        cio_relationships: {
          action: 'add_relationships',
          relationships: [{ identifiers: { object_type_id: '1', object_id: 'acme' } }],
        },
      }),
  ],
  [
    'track',
    (c) => c.track('u1', { name: 'order_placed', data: { total: 42, at: WRITTEN, none: undefined } }),
  ],
  ['track at a time', (c) => c.track(42, { name: 'order_placed', timestamp: AT })],
  ['track of a page', (c) => c.track('u1', { name: '/pricing', type: 'page', data: { from: 'x' } })],
  ['track of a screen', (c) => c.track('u1', { name: 'Home', type: 'screen' })],
  [
    'track with an id',
    (c) => c.track(42, { name: 'paid', id: EVENT_ID, timestamp: AT, data: { total: 1 } }),
    (c) => c.track(42, { name: 'paid', id: EVENT_ID, timestamp: AT, data: { total: 1 } }),
  ],
  ['trackAnonymous', (c) => c.trackAnonymous('cookie-1', { name: 'watched', data: { video: 'intro' } })],
  ['trackAnonymous of a number', (c) => c.trackAnonymous(7, { name: 'watched', timestamp: AT })],
  [
    'an anonymous invite',
    (c) => c.trackAnonymous('', { name: 'invited', data: { recipient: 'jo@example.com' } }),
  ],
  ['trackPageView', (c) => c.trackPageView('u1', 'https://example.com/pricing')],
  [
    'trackPush',
    (c) => c.trackPush({ delivery_id: 'd1', device_id: 't1', event: 'opened', timestamp: AT }),
    (c) => c.trackPush({ delivery_id: 'd1', event: 'converted' }),
  ],
  [
    'addDevice and deleteDevice',
    (c) => c.addDevice('u1', 'token-1', 'ios', { last_used: AT, model: 'x' }),
    (c) => c.addDevice('u1', '12345', 'android'),
    (c) => c.deleteDevice('u1', 12345),
  ],
  ['destroy', (c) => c.identify('u1'), (c) => c.destroy('u1')],
  [
    'suppress and unsuppress',
    (c) => c.identify('u1'),
    (c) => c.suppress('u1'),
    (c) => c.track('u1', { name: 'unheard' }),
    (c) => c.unsuppress('u1'),
  ],
  [
    'mergeCustomers',
    (c) => c.identify(1),
    (c) => c.identify('jane@example.com', { plan: 'pro' }),
    (c) => c.mergeCustomers(IdentifierType.Id, 1, IdentifierType.Email, 'jane@example.com'),
  ],
  [
    'entity',
    (c) =>
      c.entity({
        type: 'object',
        identifiers: { object_type_id: '1', object_id: 'acme' },
        action: 'identify',
        attributes: { since: WRITTEN },
      }),
  ],
  [
    'batch',
    (c) =>
      c.batch([
        { type: 'person', identifiers: { id: 'u1' }, action: 'identify', attributes: { plan: 'pro' } },
        { type: 'person', identifiers: { id: 'u1' }, action: 'event', name: 'paid', timestamp: AT },
      ]),
  ],
]

/** The operations that the Track API applied, ignored or dropped as duplicates, each in its v2 format. */
function trackEffect({ applied, ignored, duplicates }: FakeCustomerIo) {
  const operations = (list: readonly { readonly body: object }[]) =>
    list.map(({ body }) => normal(body as Record<string, unknown>))
  return { applied: operations(applied), ignored: operations(ignored), duplicates: operations(duplicates) }
}

/**
 * Removes the differences that are allowed: v1 has relationships in an object and v2 in an array, and the outbox sends each
 * id as a string, because Customer.io accepts no other.
 */
function normal(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { id, timestamp, cio_relationships: related, attributes, identifiers, primary, ...rest } = body
  return {
    ...rest,
    ...(id === EVENT_ID ? { id } : {}),
    ...(timestamp === AT ? { timestamp } : {}),
    identifiers: asText(identifiers),
    primary: asText(primary),
    attributes: attributes ?? {},
    relationships: (related as { relationships?: unknown } | undefined)?.relationships ?? related,
  }
}

function asText(identifiers: unknown) {
  return Object.entries(identifiers ?? {})
    .map(([kind, value]) => `${kind}:${value}`)
    .sort()
}

const operationsOf = (fake: FakeCustomerIo) => fake.counts.operations

async function arrived(): Promise<void> {
  await harness.drained()
  await harness.fake.until((fake) => operationsOf(fake) >= operationsOf(direct))
}

describe('TrackClient', () => {
  const client = () =>
    new TrackClient('site', 'key', {
      region: RegionUS,
      url: `${direct.url}/api/v1`,
      retry: { maxRetries: 0 },
    })

  test.each(TRACK.map(([name, ...steps]) => [name, steps] as const))('%s', async (_, steps) => {
    for (const step of steps) {
      await step(client())
      const given = await harness.db.transaction((tx) => step(harness.outbox.trackClient(tx)))
      for (const result of [given].flat())
        expect(result).toEqual({ id: expect.any(String), duplicate: false })
      await arrived()
    }
    expect(trackEffect(harness.fake)).toEqual(trackEffect(direct))
    for (const id of ['u1', 'u2', 42]) {
      const [here, there] = [harness.fake.person({ id }), direct.person({ id })]
      expect(here?.attributes).toEqual(there?.attributes)
      expect(here?.devices).toEqual(there?.devices)
      expect(here?.relationships).toEqual(there?.relationships)
      expect(here?.suppressed).toBe(there?.suppressed)
      expect(here?.deleted).toBe(there?.deleted)
    }
  })
})

type Api = APIClient | OutboxApiClient

const email = () => {
  const request = new SendEmailRequest({
    to: 'jane@example.com',
    identifiers: { id: 42 },
    transactional_message_id: 3,
    message_data: { total: 42, at: WRITTEN },
    headers: { 'X-Order': '1' },
    send_to_unsubscribed: false,
  })
  request.attach('hello.txt', 'hello')
  return request
}
const message = { identifiers: { id: 'u1' }, transactional_message_id: 'welcome', message_data: { n: 1 } }

const API: [name: string, step: (client: Api) => Promise<unknown>][] = [
  ['sendEmail', (c) => c.sendEmail(email())],
  [
    'sendEmail without a template',
    (c) =>
      c.sendEmail(
        new SendEmailRequest({
          to: 'jane@example.com',
          identifiers: { email: 'jane@example.com' },
          from: 'shop@example.com',
          subject: 'Hello',
          body: '<p>Hello</p>',
        }),
      ),
  ],
  [
    'sendPush',
    (c) =>
      c.sendPush(
        new SendPushRequest({
          ...message,
          title: 'Hello',
          device: { token: 't1', platform: 'ios' },
          custom_payload: { ios: { aps: {} }, android: {} },
        }),
      ),
  ],
  ['sendSMS', (c) => c.sendSMS(new SendSMSRequest({ ...message, to: '+4512345678' }))],
  [
    'sendInboxMessage',
    (c) => c.sendInboxMessage(new SendInboxMessageRequest({ ...message, language: 'da' })),
  ],
  ['sendInApp', (c) => c.sendInApp(new SendInAppRequest({ ...message, send_at: AT }))],
  ['triggerBroadcast', (c) => c.triggerBroadcast(7)],
  ['triggerBroadcast with nothing', (c) => c.triggerBroadcast('7', {}, {})],
  ['triggerBroadcast to a filter', (c) => c.triggerBroadcast(7, { sale: 'x' }, { segment: { id: 3 } })],
  [
    'triggerBroadcast to people',
    (c) => c.triggerBroadcast(7, undefined, { ids: ['u1', 'u2'], id_ignore_missing: true }),
  ],
  [
    'triggerBroadcast with data for each person',
    (c) => c.triggerBroadcast(7, { at: WRITTEN }, { per_user_data: [{ id: 'u1', data: { n: 1 } }] }),
  ],
]

describe('APIClient', () => {
  /** Leaves out the identifiers: the outbox sends an id as a string, because Customer.io accepts no other. */
  const effect = ({ sends, broadcasts }: FakeCustomerIo) => ({
    sends: sends.map(({ kind, personKey, body: { identifiers: _, ...body } }) => ({ kind, personKey, body })),
    broadcasts: broadcasts.map(({ broadcastId, audience, body }) => ({ broadcastId, audience, body })),
  })

  test.each(API)('%s', async (_, step) => {
    await step(new APIClient('key', { region: RegionUS, url: `${direct.url}/v1`, retry: { maxRetries: 0 } }))
    const given = await harness.db.transaction((tx) => step(harness.outbox.apiClient(tx)))
    expect(given).toEqual({ id: expect.any(String), duplicate: false })
    await arrived()
    expect(effect(harness.fake)).toEqual(effect(direct))
    expect(direct.counts.sends + direct.counts.broadcasts).toBe(1)
  })
})

type Pipelines = PipelinesClient | OutboxPipelinesClient

const PIPELINES: [name: string, step: (client: Pipelines) => Promise<unknown>][] = [
  ['identify', (c) => c.identify({ userId: 'u1', traits: { email: 'jane@example.com', at: WRITTEN } })],
  ['track', (c) => c.track({ userId: 42, anonymousId: 'c1', event: 'paid', properties: { total: 42 } })],
  ['page', (c) => c.page({ anonymousId: 'c1', name: 'Pricing', timestamp: '2026-01-02T03:04:05Z' })],
  ['screen', (c) => c.screen({ userId: 'u1', name: 'Home', context: { ip: '192.0.2.1' } })],
  ['group', (c) => c.group({ userId: 'u1', groupId: 'acme', traits: { plan: 'pro' } })],
  ['alias', (c) => c.alias({ userId: 'u1', previousId: 'c1' })],
  [
    'batch',
    (c) =>
      c.batch([
        { type: 'identify', userId: 'u1', traits: { plan: 'pro' } },
        { type: 'track', userId: 'u1', event: 'paid' },
        { type: 'group', userId: 'u1', groupId: 'acme' },
      ]),
  ],
]

describe('PipelinesClient', () => {
  const effect = ({ pipelines }: FakeCustomerIo) =>
    pipelines.map(({ type, personKey, body: { messageId, timestamp, userId, type: _, ...body } }) => {
      expect(messageId).toEqual(expect.any(String))
      return {
        type,
        personKey,
        userId: userId === undefined ? undefined : String(userId),
        timestamp: String(timestamp).startsWith('2026-01-02') ? timestamp : 'now',
        body,
      }
    })

  test.each(PIPELINES)('%s', async (_, step) => {
    await step(
      new PipelinesClient('key', { region: RegionUS, url: `${direct.url}/v1`, retry: { maxRetries: 0 } }),
    )
    const given = await harness.db.transaction((tx) => step(harness.outbox.pipelinesClient(tx)))
    for (const result of [given].flat()) expect(result).toEqual({ id: expect.any(String), duplicate: false })
    await arrived()
    expect(effect(harness.fake)).toEqual(effect(direct))
    expect(direct.counts.pipelines).toBeGreaterThan(0)
  })
})

test('options apply to the calls of one client, and a rollback removes the intents', async () => {
  const { db, outbox } = harness
  const options = { dedupKey: 'invite:u1', orderingKey: 'a', sendAfter: new Date(Date.now() + 60_000) }
  const both = await db.transaction(async (tx) => [
    await outbox.trackClient(tx, options).track('u1', { name: 'invited' }),
    await outbox.trackClient(tx, options).track('u1', { name: 'invited' }),
  ])
  expect(both.map(({ duplicate }) => duplicate)).toEqual([false, true])
  const tx = await db.begin()
  await outbox.trackClient(tx).identify('rolled-back')
  await tx.query('ROLLBACK')
  tx.release()
  expect(await db.rows('SELECT ordering_key FROM outbox.intents')).toEqual([{ ordering_key: 'a' }])
  await db.rows('DELETE FROM outbox.intents')
})
