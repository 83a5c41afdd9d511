import type { Intent, Operation } from '../../intent/intent.ts'

/** An intent as the app wrote it, with the columns that `enqueue` filled in. */
export type EnqueuedIntent<O extends Operation = Operation> = IntentOf<O> & EnqueuedColumns

type IntentOf<O extends Operation> = Intent extends infer I
  ? I extends { readonly operation: infer Own }
    ? Own extends O
      ? I
      : never
    : never
  : never

/** What `enqueue` stored beside the intent. */
export interface EnqueuedColumns {
  /** The id that `enqueue` returned. */
  readonly id: string
  /** Null if it was enqueued without one. With `dedup: 'content'` it is the content key. */
  readonly dedupKey: string | null
  readonly orderingKey: string
  readonly workspace: string
  readonly priority: 'normal' | 'bulk'
  readonly onAmbiguous: 'park' | 'resend'
  readonly sendAfter: Date | null
  readonly expiresAt: Date | null
}

/** Any part of an enqueued intent. Values at the same place must be equal; `expect.any(Number)` and the like work, too. */
export type PartialIntent<O extends Operation = Operation> = DeepPartial<EnqueuedIntent<O>>

type DeepPartial<T> = T extends Date
  ? T
  : T extends readonly (infer Element)[]
    ? readonly DeepPartial<Element>[]
    : T extends object
      ? { readonly [Name in keyof T]?: DeepPartial<T[Name]> | undefined }
      : T
