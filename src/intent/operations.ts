import type { Operation } from './intent.ts'

/** Every operation that can be enqueued. */
export const OPERATIONS = [
  'identify',
  'track',
  'trackPageView',
  'trackScreen',
  'addDevice',
  'deleteDevice',
  'suppress',
  'unsuppress',
  'destroy',
  'mergeCustomers',
  'entity',
] as const satisfies readonly Operation[]

/** Operations of Customer.io's clients that cannot be enqueued yet: they are refused by name. */
export const OPERATIONS_TO_COME: readonly string[] = [
  'trackAnonymous',
  'trackPush',
  'sendEmail',
  'sendPush',
  'sendSMS',
  'sendInboxMessage',
  'sendInApp',
  'triggerBroadcast',
  'pipelines.identify',
  'pipelines.track',
  'pipelines.page',
  'pipelines.screen',
  'pipelines.group',
  'pipelines.alias',
]

const known = new Set<unknown>(OPERATIONS)

export function isOperation(value: unknown): value is Operation {
  return known.has(value)
}
