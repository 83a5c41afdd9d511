import type { Operation } from './intent.ts'

/** The APIs of Customer.io and the operations of each. A destination is a workspace and one of these APIs. */
const OPERATIONS_OF = {
  track: [
    'identify',
    'track',
    'trackAnonymous',
    'trackPageView',
    'trackScreen',
    'trackPush',
    'addDevice',
    'deleteDevice',
    'suppress',
    'unsuppress',
    'destroy',
    'mergeCustomers',
    'entity',
  ],
  app: ['sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp'],
  broadcast: ['triggerBroadcast'],
  pipelines: [
    'pipelines.identify',
    'pipelines.track',
    'pipelines.page',
    'pipelines.screen',
    'pipelines.group',
    'pipelines.alias',
  ],
} as const satisfies Record<string, readonly Operation[]>

/** An API of Customer.io: the second half of a destination's name. */
export type Api = keyof typeof OPERATIONS_OF

const entries = Object.entries(OPERATIONS_OF) as [Api, readonly Operation[]][]

/** Every operation that can be enqueued. */
export const OPERATIONS: readonly Operation[] = entries.flatMap(([, operations]) => operations)

const apis = new Map<unknown, Api>(
  entries.flatMap(([api, operations]) => operations.map((operation) => [operation, api] as const)),
)

export function isOperation(value: unknown): value is Operation {
  return apis.has(value)
}

/** The API that an operation belongs to. The SQL function `api_of` has the same mapping. */
export function apiOf(operation: Operation): Api {
  return apis.get(operation) as Api
}
