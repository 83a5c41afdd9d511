import type { Intent, Operation } from './intent.ts'

type WithoutOperation<T> = T extends { readonly operation: Operation } ? Omit<T, 'operation'> : never

/** What is stored as `jsonb`: an intent's fields without `operation`, which has a column of its own. */
export type Payload = WithoutOperation<Intent>

/** The intent's other fields, as they stand: `operation` and payload are what `outbox.enqueue` takes. */
export function toPayload(intent: Intent): Payload {
  const { operation: _operation, ...payload } = intent
  return payload as Payload
}
