import type { Names } from '../store/names.ts'
import { callForMany, callForOne, type EnqueueArguments } from './enqueue-call.ts'

/** A statement for any driver, with the parameters $1, $2, …. */
export interface Statement {
  readonly text: string
  /** Text or NULL: each parameter has the type `text`. */
  readonly values: (string | null)[]
}

/** The statement that stores one intent. It returns a row (id, duplicate). */
export function statementForOne(names: Names, intent: EnqueueArguments): Statement {
  const { text, values } = callForOne(names, intent)
  return { text: `SELECT id::text, duplicate FROM ${text}`, values }
}

/** The statement that stores several intents. It returns a row (id, duplicate) for each, in their order. */
export function statementForMany(names: Names, intents: readonly EnqueueArguments[]): Statement {
  const { returns, text, values } = callForMany(names, intents)
  if (returns === 'rows') {
    return { text: `SELECT id::text, duplicate FROM ${text} ORDER BY ordinal`, values }
  }
  return {
    text: `SELECT stored.id::text, stored.duplicate
      FROM ${text} AS call, unnest(call.ids, call.duplicates) WITH ORDINALITY AS stored(id, duplicate, ordinal)
      ORDER BY stored.ordinal`,
    values,
  }
}
