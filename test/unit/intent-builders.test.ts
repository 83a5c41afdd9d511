import { describe, expect, expectTypeOf, test } from 'vitest'
import { intents } from '../../src/intent/builders/builders.ts'
import type { Intent, TrackIntent } from '../../src/intent/intent.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

describe('builders', () => {
  test('every operation has a builder', () => {
    const { pipelines, ...others } = intents
    const names = [...Object.keys(others), ...Object.keys(pipelines).map((name) => `pipelines.${name}`)]
    expect(names).toEqual([...OPERATIONS])
  })

  test.each<[Intent, object]>([
    [
      intents.identify(42, { plan: 'pro' }),
      { operation: 'identify', customerId: 42, attributes: { plan: 'pro' } },
    ],
    [
      intents.identify({ email: 'a@b' }, undefined, { timestamp: 5 }),
      { operation: 'identify', identifiers: { email: 'a@b' }, timestamp: 5 },
    ],
    [intents.track('42', 'x'), { operation: 'track', customerId: '42', name: 'x' }],
    [
      intents.track({ id: 42 }, 'x', { total: 1 }, { timestamp: 5 }),
      { operation: 'track', identifiers: { id: 42 }, name: 'x', data: { total: 1 }, timestamp: 5 },
    ],
    [
      intents.trackPageView({ phone: '+45' }, '/a', { a: 1 }),
      { operation: 'trackPageView', identifiers: { phone: '+45' }, path: '/a', data: { a: 1 } },
    ],
    [
      intents.trackScreen({ cio_id: 'a3' }, 'Home', {}, { timestamp: 5 }),
      { operation: 'trackScreen', identifiers: { cio_id: 'a3' }, name: 'Home', data: {}, timestamp: 5 },
    ],
    [
      intents.addDevice('42', 't', 'ios', { last_used: 5, os: '17' }),
      {
        operation: 'addDevice',
        customerId: '42',
        deviceId: 't',
        platform: 'ios',
        data: { last_used: 5, os: '17' },
      },
    ],
    [intents.deleteDevice('42', 't'), { operation: 'deleteDevice', customerId: '42', deviceId: 't' }],
    [intents.suppress('42'), { operation: 'suppress', customerId: '42' }],
    [intents.unsuppress('42'), { operation: 'unsuppress', customerId: '42' }],
    [intents.destroy('42'), { operation: 'destroy', customerId: '42' }],
    [
      intents.mergeCustomers({ id: 1 }, { email: 'a@b' }),
      { operation: 'mergeCustomers', primary: { id: 1 }, secondary: { email: 'a@b' } },
    ],
    [
      intents.entity({ type: 'object', action: 'delete', identifiers: { cio_object_id: 'ob1' } }),
      {
        operation: 'entity',
        entity: { type: 'object', action: 'delete', identifiers: { cio_object_id: 'ob1' } },
      },
    ],
    [
      intents.trackAnonymous('cookie', 'x', { a: 1 }, { timestamp: 5 }),
      { operation: 'trackAnonymous', anonymousId: 'cookie', name: 'x', data: { a: 1 }, timestamp: 5 },
    ],
    [
      intents.trackPush('RPI', 'opened', 't', { timestamp: 5 }),
      { operation: 'trackPush', deliveryId: 'RPI', event: 'opened', deviceId: 't', timestamp: 5 },
    ],
    [intents.trackPush('RPI', 'opened'), { operation: 'trackPush', deliveryId: 'RPI', event: 'opened' }],
    [
      intents.sendEmail({ to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 3 }),
      {
        operation: 'sendEmail',
        message: { to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 3 },
      },
    ],
    [
      intents.sendEmail(
        {
          to: 'a@b',
          identifiers: { id: 1 },
          transactional_message_id: 3,
          attachments: { 'a.txt': 'aGk=' },
        },
        { 'b.txt': Buffer.from('hello'), 'c.txt': 'aGVsbG8=', 'd.bin': new Uint8Array([0, 255]) },
      ),
      {
        operation: 'sendEmail',
        message: {
          to: 'a@b',
          identifiers: { id: 1 },
          transactional_message_id: 3,
          attachments: { 'a.txt': 'aGk=', 'b.txt': 'aGVsbG8=', 'c.txt': 'aGVsbG8=', 'd.bin': 'AP8=' },
        },
      },
    ],
    ...(['sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp'] as const).map(
      (operation): [Intent, object] => {
        const message = { identifiers: { id: 1 }, transactional_message_id: 3 }
        return [intents[operation](message), { operation, message }]
      },
    ),
    [intents.triggerBroadcast(7), { operation: 'triggerBroadcast', broadcastId: 7 }],
    [
      intents.triggerBroadcast(7, { a: 1 }, { ids: [1] }),
      { operation: 'triggerBroadcast', broadcastId: 7, data: { a: 1 }, recipients: { ids: [1] } },
    ],
    [
      intents.pipelines.track({ userId: 1, event: 'x' }),
      { operation: 'pipelines.track', message: { userId: 1, event: 'x' } },
    ],
    ...(['identify', 'page', 'screen'] as const).map((type): [Intent, object] => [
      intents.pipelines[type]({ anonymousId: 'cookie' }),
      { operation: `pipelines.${type}`, message: { anonymousId: 'cookie' } },
    ]),
    [
      intents.pipelines.group({ userId: 1, groupId: 'acme' }),
      { operation: 'pipelines.group', message: { userId: 1, groupId: 'acme' } },
    ],
    [
      intents.pipelines.alias({ userId: 1, previousId: 2 }),
      { operation: 'pipelines.alias', message: { userId: 1, previousId: 2 } },
    ],
  ])('a builder returns %j', (built, expected) => {
    expect(built).toEqual(expected)
    expect(validateIntent(built)).toBe(built)
  })

  test('each builder returns its own type', () => {
    expectTypeOf(intents.track('42', 'x')).toEqualTypeOf<TrackIntent<never, 'x'>>()
    expectTypeOf(intents.track('42', 'x')).toExtend<TrackIntent>()
    expectTypeOf(intents.track('42', 'x', { total: 1 })).toExtend<TrackIntent<{ total: number }, 'x'>>()
    expectTypeOf(intents.entity).returns.toExtend<Intent>()
  })

  test('the check of the intent refuses a missing person', () => {
    expect(() => validateIntent(intents.destroy(null as unknown as string))).toThrow(
      'destroy: customerId must be',
    )
    expect(() => validateIntent(intents.destroy(undefined as unknown as string))).toThrow(
      'destroy: customerId is required',
    )
  })
})
