/**
 * The operator's side of customerio-outbox: dead letters, bulk actions, what happened to a person, pause and resume. The commands
 * of `customerio-outbox` do the same.
 *
 * @module
 */
export type {
  ActionStatus,
  BulkKind,
  FilterOf,
  OptionsOf,
  Preview,
} from './operate/actions.ts'
export type { EncryptionKey } from './encryption/encryption-key.ts'
export type { PersonTimeline } from './observe/timeline/fold-timeline.ts'
export type { DeadLetter, DeadLetterPage } from './operate/dead-letters.ts'
export type { DeadLetterFilter, IntentFilter, PersonFilter } from './operate/filters.ts'
export type { FoundEvent } from './operate/find.ts'
export { createOperator, type Operator, type OperatorOptions } from './operate/operator.ts'
