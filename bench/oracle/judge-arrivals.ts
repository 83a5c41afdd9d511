import {
  describeFindings,
  judge,
  type Received,
  type Written,
} from '../../test/faults/support/shop/oracle.ts'
import { PEOPLE, personOf } from '../workload/payload.ts'

/** The arrivals of one run. */
export interface ArrivalLog {
  /** Refs in the order of their first arrival. */
  readonly order: Int32Array
  /** Event ids in the same order, 26 bytes each. Zeros for an event without an id. */
  readonly ids: Uint8Array
  /** Repeated arrivals. `dropped`: the id equals that of the first arrival, so Customer.io drops the event. */
  readonly repeats: readonly { readonly ref: number; readonly id: string; readonly dropped: boolean }[]
}

export const ULID_LENGTH = 26

/** The committed events: id by ref. The refs of one person ascend in the order of commits. */
export type Committed = ReadonlyMap<number, string>

/**
 * Applies the oracle of the fault tests to a run. No event may be lost, out of order or applied twice. Each event must have
 * the id that it got at enqueue.
 *
 * @returns one sentence per kind of violation.
 */
export function judgeArrivals(log: ArrivalLog, committed: Committed): string[] {
  const verdict = judge({
    written: Array.from(committed, ([ref, id]) => written(ref, id)),
    acknowledged: new Set(),
    rolledBack: new Set(),
    pending: [],
    deadLettered: [],
    applied: applied(log),
    duplicates: log.repeats
      .filter(({ dropped }) => dropped)
      .map(({ ref, id }) => ({ ...received(ref, id), sameBody: undefined })),
  })
  return describeFindings(verdict)
}

function written(ref: number, id: string): Written {
  const position = Math.floor(ref / PEOPLE) + 1
  return { ref: String(ref), person: personOf(ref), position, id, isEvent: true }
}

function* applied({ order, ids, repeats }: ArrivalLog): Iterable<Received> {
  const text = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1')
  for (const [index, ref] of order.entries()) {
    const id = text.slice(index * ULID_LENGTH, (index + 1) * ULID_LENGTH)
    yield received(ref, id.charCodeAt(0) === 0 ? '' : id)
  }
  for (const { ref, id, dropped } of repeats) if (!dropped) yield received(ref, id)
}

function received(ref: number, id: string): Received {
  return { ulid: id === '' ? undefined : id, body: { attributes: { ref } } }
}
