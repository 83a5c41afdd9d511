import type { Intent } from '../../intent/intent.ts'
import type { EnqueueResult } from '../results.ts'

/**
 * Methods of one of customerio-node's clients with their own parameters, which enqueue in place of sending. Those
 * that take an array give a result for each of its elements.
 */
export type Enqueuing<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => unknown
    ? (...args: Args) => Promise<Name extends 'batch' ? EnqueueResult[] : EnqueueResult>
    : never
}

/** Makes an intent, or throws why it cannot: called where `onError` holds. */
export type MakeIntent = () => Intent

/** Where a facade's intents go: one transaction, with one set of options. */
export interface Sink {
  one(make: MakeIntent): Promise<EnqueueResult>
  many(make: readonly MakeIntent[]): Promise<EnqueueResult[]>
}

/** The checks of `enqueue` come after: until then it is one by its looks only. */
export function unchecked(intent: Record<string, unknown>): Intent {
  return intent as unknown as Intent
}
