import type { Operation } from '../../../src/intent/intent.ts'

export const INTENT_ID = '01890a5d-ac96-774b-bcce-b302099a8057'
/** The intent's id as a ULID: the same 128 bits. */
export const EVENT_ID = '01H455VB4PEX5VSKNK084SN02Q'
export const OCCURRED_AT = 1_700_000_000
const ISO = '2023-11-14T22:13:20.000Z'
const LIBRARY = { library: { name: 'customerio-node', version: '5.2.0' } }

export interface Golden {
  readonly name: string
  readonly api: 'track' | 'app' | 'broadcast' | 'pipelines'
  readonly operation: Operation
  readonly payload: unknown
  readonly path: string
  readonly body: unknown
  readonly options?: { readonly anonymousOnV2?: boolean; readonly identifyTimestamp?: boolean }
}

type Rest = Pick<Golden, 'payload' | 'body'> & Partial<Golden>

/** Written from the APIs' published descriptions, not from the code. A change here is a change of the wire format. */
export const GOLDENS: readonly Golden[] = [
  batched('identify', {
    payload: { customerId: 42, attributes: { plan: 'pro', joined: null } },
    body: {
      type: 'person',
      identifiers: { id: '42' },
      action: 'identify',
      timestamp: OCCURRED_AT,
      attributes: { plan: 'pro', joined: null },
    },
  }),
  batched('identify', {
    name: 'identify without its timestamp',
    options: { identifyTimestamp: false },
    payload: { customerId: '42', attributes: { plan: 'pro' }, timestamp: 1_600_000_000 },
    body: { type: 'person', identifiers: { id: '42' }, action: 'identify', attributes: { plan: 'pro' } },
  }),
  batched('track', {
    payload: { identifiers: { email: 'jane@example.com' }, name: 'order_placed', data: { total: 12.5 } },
    body: {
      type: 'person',
      identifiers: { email: 'jane@example.com' },
      action: 'event',
      name: 'order_placed',
      id: EVENT_ID,
      timestamp: OCCURRED_AT,
      attributes: { total: 12.5 },
    },
  }),
  batched('trackPageView', {
    payload: { identifiers: { phone: '+4512345678' }, path: '/pricing', timestamp: 1_600_000_000 },
    body: {
      type: 'person',
      identifiers: { phone: '+4512345678' },
      action: 'page',
      name: '/pricing',
      id: EVENT_ID,
      timestamp: 1_600_000_000,
    },
  }),
  batched('trackScreen', {
    payload: { identifiers: { cio_id: 'a3000001' }, name: 'Dashboard', data: { version: '2.1' } },
    body: {
      type: 'person',
      identifiers: { cio_id: 'a3000001' },
      action: 'screen',
      name: 'Dashboard',
      id: EVENT_ID,
      timestamp: OCCURRED_AT,
      attributes: { version: '2.1' },
    },
  }),
  alone('trackAnonymous', {
    path: '/api/v1/events',
    payload: { anonymousId: 'cookie-1', name: 'watched_video', data: { video: 'intro' } },
    body: {
      anonymous_id: 'cookie-1',
      name: 'watched_video',
      id: EVENT_ID,
      timestamp: OCCURRED_AT,
      data: { video: 'intro' },
    },
  }),
  alone('trackAnonymous', {
    name: 'trackAnonymous: an invite has no anonymous_id',
    path: '/api/v1/events',
    options: { anonymousOnV2: true },
    payload: {
      anonymousId: '',
      name: 'invited',
      data: { recipient: 'jane@example.com' },
      timestamp: 1_600_000_000,
    },
    body: {
      name: 'invited',
      id: EVENT_ID,
      timestamp: 1_600_000_000,
      data: { recipient: 'jane@example.com' },
    },
  }),
  batched('trackAnonymous', {
    name: 'trackAnonymous on v2',
    options: { anonymousOnV2: true },
    payload: { anonymousId: 'cookie-1', name: 'watched_video', data: { video: 'intro' } },
    body: {
      type: 'person',
      identifiers: { anonymous_id: 'cookie-1' },
      action: 'event',
      name: 'watched_video',
      id: EVENT_ID,
      timestamp: OCCURRED_AT,
      attributes: { video: 'intro' },
    },
  }),
  alone('trackPush', {
    path: '/api/v1/push/events',
    payload: { deliveryId: 'RPILAgUB', deviceId: 'token-1', event: 'opened' },
    body: { delivery_id: 'RPILAgUB', device_id: 'token-1', event: 'opened', timestamp: OCCURRED_AT },
  }),
  batched('addDevice', {
    payload: { customerId: '42', deviceId: 'token-1', platform: 'ios', data: { last_used: 5, os: '17' } },
    body: {
      type: 'person',
      identifiers: { id: '42' },
      action: 'add_device',
      device: { token: 'token-1', platform: 'ios', last_used: 5, attributes: { os: '17' } },
    },
  }),
  batched('deleteDevice', {
    payload: { customerId: '42', deviceId: 'token-1' },
    body: {
      type: 'person',
      identifiers: { id: '42' },
      action: 'delete_device',
      device: { token: 'token-1' },
    },
  }),
  ...(['suppress', 'unsuppress'] as const).map((action) =>
    batched(action, {
      payload: { customerId: '42' },
      body: { type: 'person', identifiers: { id: '42' }, action },
    }),
  ),
  batched('destroy', {
    payload: { customerId: '42' },
    body: { type: 'person', identifiers: { id: '42' }, action: 'delete' },
  }),
  batched('mergeCustomers', {
    payload: { primary: { id: 42 }, secondary: { email: 'old@example.com' } },
    body: {
      type: 'person',
      action: 'merge',
      primary: { id: '42' },
      secondary: { email: 'old@example.com' },
    },
  }),
  batched('entity', {
    payload: {
      entity: {
        type: 'object',
        action: 'identify',
        identifiers: { object_type_id: '1', object_id: 'acme' },
        attributes: { name: 'Acme' },
      },
    },
    body: {
      type: 'object',
      action: 'identify',
      identifiers: { object_type_id: '1', object_id: 'acme' },
      attributes: { name: 'Acme' },
    },
  }),
  send('sendEmail', 'email', {
    payload: {
      message: {
        to: 'jane@example.com',
        identifiers: { id: 42 },
        transactional_message_id: 'receipt',
        message_data: { total: 12.5 },
        send_at: 1_600_000_000,
        attachments: { 'receipt.txt': 'aGVsbG8=' },
      },
    },
    body: {
      to: 'jane@example.com',
      identifiers: { id: '42' },
      transactional_message_id: 'receipt',
      message_data: { total: 12.5 },
      send_at: 1_600_000_000,
      headers: {},
      attachments: { 'receipt.txt': 'aGVsbG8=' },
    },
  }),
  send('sendEmail', 'email', {
    name: 'sendEmail without a template',
    payload: {
      message: {
        to: 'jane@example.com',
        identifiers: { email: 'jane@example.com' },
        from: 'shop@example.com',
        subject: 'Thank you',
        body: '<p>Thank you</p>',
        body_plain: 'Thank you',
        reply_to: 'help@example.com',
        headers: { 'X-Shop': '1' },
        tracked: false,
      },
    },
    body: {
      to: 'jane@example.com',
      identifiers: { email: 'jane@example.com' },
      from: 'shop@example.com',
      subject: 'Thank you',
      body: '<p>Thank you</p>',
      body_plain: 'Thank you',
      reply_to: 'help@example.com',
      headers: { 'X-Shop': '1' },
      tracked: false,
    },
  }),
  send('sendPush', 'push', {
    payload: {
      message: {
        identifiers: { id: '42' },
        transactional_message_id: 3,
        title: 'Shipped',
        custom_data: { order: '7' },
        device: { token: 'token-1', platform: 'ios' },
      },
    },
    body: {
      identifiers: { id: '42' },
      transactional_message_id: 3,
      title: 'Shipped',
      custom_data: { order: '7' },
      custom_device: { token: 'token-1', platform: 'ios' },
    },
  }),
  send('sendSMS', 'sms', {
    payload: { message: { identifiers: { id: '42' }, transactional_message_id: 3, to: '+4512345678' } },
    body: { identifiers: { id: '42' }, transactional_message_id: 3, to: '+4512345678' },
  }),
  send('sendInboxMessage', 'inbox_message', {
    payload: { message: { identifiers: { id: '42' }, transactional_message_id: 3, language: 'da' } },
    body: { identifiers: { id: '42' }, transactional_message_id: 3, language: 'da' },
  }),
  send('sendInApp', 'in_app', {
    payload: { message: { identifiers: { id: '42' }, transactional_message_id: 3 } },
    body: { identifiers: { id: '42' }, transactional_message_id: 3 },
  }),
  trigger('triggerBroadcast', {
    payload: {
      broadcastId: 7,
      data: { headline: 'Sale' },
      recipients: { ids: [1, '2'], id_ignore_missing: true },
    },
    body: { data: { headline: 'Sale' }, ids: [1, '2'], id_ignore_missing: true },
  }),
  trigger('triggerBroadcast to a segment', {
    payload: { broadcastId: 7, recipients: { segment: { id: 5 } } },
    body: { recipients: { segment: { id: 5 } } },
  }),
  trigger('triggerBroadcast to its own recipients', { payload: { broadcastId: '7' }, body: {} }),
  piped('identify', {
    payload: { message: { userId: 42, traits: { plan: 'pro' } } },
    body: { userId: '42', traits: { plan: 'pro' } },
  }),
  piped('track', {
    payload: { message: { userId: '42', anonymousId: 'cookie-1', event: 'Order', properties: { total: 1 } } },
    body: { userId: '42', anonymousId: 'cookie-1', event: 'Order', properties: { total: 1 } },
  }),
  piped('page', {
    payload: { message: { anonymousId: 'cookie-1', name: 'Pricing', timestamp: '2020-01-01T00:00:00Z' } },
    body: { anonymousId: 'cookie-1', name: 'Pricing', timestamp: '2020-01-01T00:00:00Z' },
  }),
  piped('screen', {
    payload: { message: { userId: '42', name: 'Home', context: { ip: '192.0.2.1' } } },
    body: { userId: '42', name: 'Home', context: { ip: '192.0.2.1', ...LIBRARY } },
  }),
  piped('group', {
    payload: {
      message: { userId: '42', groupId: 'acme', traits: { name: 'Acme' }, integrations: { All: true } },
    },
    body: { userId: '42', groupId: 'acme', traits: { name: 'Acme' }, integrations: { All: true } },
  }),
  {
    name: 'pipelines.alias',
    api: 'pipelines',
    operation: 'pipelines.alias',
    payload: { message: { userId: 42, previousId: 'cookie-1' } },
    path: '/v1/alias',
    body: {
      userId: '42',
      previousId: 'cookie-1',
      messageId: INTENT_ID,
      timestamp: ISO,
      context: LIBRARY,
    },
  },
]

/** An operation in a batch of the Track API v2. */
function batched(operation: Operation, { body, ...rest }: Rest): Golden {
  return { name: operation, api: 'track', operation, path: '/api/v2/batch', body: { batch: [body] }, ...rest }
}

/** A call of the Track API v1. */
function alone(operation: Operation, rest: Rest & { readonly path: string }): Golden {
  return { name: operation, api: 'track', operation, ...rest }
}

function send(operation: Operation, channel: string, rest: Rest): Golden {
  return { name: operation, api: 'app', operation, path: `/v1/send/${channel}`, ...rest }
}

function trigger(name: string, rest: Rest): Golden {
  return { name, api: 'broadcast', operation: 'triggerBroadcast', path: '/v1/campaigns/7/triggers', ...rest }
}

function piped(type: 'identify' | 'track' | 'page' | 'screen' | 'group', { payload, body }: Rest): Golden {
  const operation: Operation = `pipelines.${type}`
  const item = { messageId: INTENT_ID, timestamp: ISO, context: LIBRARY, ...(body as object), type }
  return { name: operation, api: 'pipelines', operation, payload, path: '/v1/batch', body: { batch: [item] } }
}
