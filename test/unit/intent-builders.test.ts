import { describe, expect, expectTypeOf, test } from 'vitest'
import { intents } from '../../src/intent/builders.ts'
import type { Intent, TrackIntent } from '../../src/intent/intent.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { validateIntent } from '../../src/intent/validate.ts'

describe('builders', () => {
  test('there is one for every operation', () => {
    expect(Object.keys(intents)).toEqual([...OPERATIONS])
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
  ])('%j', (built, expected) => {
    expect(built).toEqual(expected)
    expect(validateIntent(built)).toBe(built)
  })

  test('each gives its own type', () => {
    expectTypeOf(intents.track('42', 'x')).toEqualTypeOf<TrackIntent>()
    expectTypeOf(intents.entity).returns.toExtend<Intent>()
  })

  test('a person who is missing is refused when the intent is checked', () => {
    expect(() => validateIntent(intents.destroy(null as unknown as string))).toThrow(
      'destroy: customerId must be',
    )
    expect(() => validateIntent(intents.destroy(undefined as unknown as string))).toThrow(
      'destroy: customerId is required',
    )
  })
})
