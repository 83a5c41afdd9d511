import type { Intent } from '../../intent/intent.ts'
import type { EnqueueResult } from '../results.ts'

/**
 * The methods of a client of customerio-node, with the same parameters, that enqueue instead of sending. A method that
 * takes an array returns a result for each element.
 */
export type Enqueuing<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => unknown
    ? (...args: Args) => Promise<Name extends 'batch' ? EnqueueResult[] : EnqueueResult>
    : never
}

/** Makes an intent, or throws. `onError` decides about the error. */
export type MakeIntent = () => Intent

/** Stores the intents of a client: one transaction with one set of options. */
export interface Sink {
  one(make: MakeIntent): Promise<EnqueueResult>
  many(make: readonly MakeIntent[]): Promise<EnqueueResult[]>
}

/** Casts fields to the type of an intent. `enqueue` checks them later. */
export function unchecked(intent: Record<string, unknown>): Intent {
  return intent as unknown as Intent
}
