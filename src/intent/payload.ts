import type { Intent, Operation } from './intent.ts'

type WithoutOperation<T> = T extends { readonly operation: Operation } ? Omit<T, 'operation'> : never

/** The fields of an intent that are stored as `jsonb`. `operation` has a column of its own. */
export type Payload = WithoutOperation<Intent>

/** The payload of an intent: all fields but `operation`, unchanged. `outbox.enqueue` takes the two separately. */
export function toPayload(intent: Intent): Payload {
  const { operation: _operation, ...payload } = intent
  return payload as Payload
}
