import type { APIClient } from 'customerio-node'
import { fail } from '../../intent/errors.ts'
import type { Intent } from '../../intent/intent.ts'
import { toJsonValue } from './to-json.ts'
import { type Enqueuing, type Sink, unchecked } from './client-types.ts'

/**
 * The methods of customerio-node's `APIClient` that can be enqueued. Each resolves when the intent is stored in the
 * transaction; see `Outbox.apiClient`.
 */
export type OutboxApiClient = Enqueuing<
  Pick<
    APIClient,
    'sendEmail' | 'sendPush' | 'sendSMS' | 'sendInboxMessage' | 'sendInApp' | 'triggerBroadcast'
  >
>

export function createApiClient({ one }: Sink): OutboxApiClient {
  return {
    sendEmail: (request) => one(() => send('sendEmail', 'SendEmailRequest', request)),
    sendPush: (request) => one(() => send('sendPush', 'SendPushRequest', request)),
    sendSMS: (request) => one(() => send('sendSMS', 'SendSMSRequest', request)),
    sendInboxMessage: (request) => one(() => send('sendInboxMessage', 'SendInboxMessageRequest', request)),
    sendInApp: (request) => one(() => send('sendInApp', 'SendInAppRequest', request)),
    triggerBroadcast: (broadcastId, data, recipients) =>
      one(() => triggerBroadcast(broadcastId, data, recipients)),
  }
}

function send(operation: string, className: string, request: unknown): Intent {
  if (!isRequest(request, className)) {
    fail({ operation }, 'request', `must be an instance of customerio-node's ${className}`)
  }
  return unchecked({ operation, message: toJsonValue(request.message) })
}

/**
 * Recognises a request by customerio-node's symbol, which works across copies of the package, or by its class name: requests
 * of older versions have no symbol.
 */
function isRequest(request: unknown, className: string): request is { readonly message: unknown } {
  if (typeof request !== 'object' || request === null) return false
  const marked = request as Record<symbol, unknown>
  return marked[Symbol.for(`customerio-node.${className}`)] === true || request.constructor.name === className
}

function triggerBroadcast(broadcastId: string | number, data: unknown, recipients: unknown): Intent {
  return unchecked({
    operation: 'triggerBroadcast',
    broadcastId,
    ...given('data', toJsonValue(data)),
    ...given('recipients', toJsonValue(recipients)),
  })
}

/** An object with the field, or without it if the value is null or empty: customerio-node leaves out such values. */
function given(field: string, value: unknown): Record<string, unknown> {
  const isNothing = value == null || (typeof value === 'object' && Object.keys(value).length === 0)
  return isNothing ? {} : { [field]: value }
}
