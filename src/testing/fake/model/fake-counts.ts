/**
 * Totals since the fake started or since `reset()`.
 *
 * @example
 * ```ts
 * import { startFakeCustomerIo, type FakeCounts } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo()
 * const summary = ({ applied, duplicates }: FakeCounts) => `${applied} applied, ${duplicates} duplicates`
 * console.log(summary(fake.counts)) // 0 applied, 0 duplicates
 * ```
 */
export interface FakeCounts {
  /** Requests received, on any path. */
  readonly requests: number
  /** Operations received by any API, valid or not. A send, a trigger and a Pipelines message count as one each. */
  readonly operations: number
  /** Operations of the Track API that took effect. */
  readonly applied: number
  /** Events dropped because of a repeated ULID, and Pipelines messages dropped because of a repeated `messageId`. */
  readonly duplicates: number
  /** Operations of the Track API that were answered 200 and had no effect. */
  readonly ignored: number
  /** Operations refused by a check or by a `refuse` misbehaviour, on any API. */
  readonly refused: number
  /** First deliveries that were applied after one of the same person with a higher sequence. 0 without `sequenceOf`. */
  readonly outOfOrder: number
  /** Transactional messages accepted. */
  readonly sends: number
  /** Broadcast triggers accepted. */
  readonly broadcasts: number
  /** Messages of the Pipelines API that took effect. */
  readonly pipelines: number
  /** Messages of the Pipelines API that were answered 200 and lost. */
  readonly dropped: number
}
