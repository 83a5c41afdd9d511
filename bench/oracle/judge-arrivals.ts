import { describeFindings, judge, type Received, type Written } from '../../test/faults/support/oracle.ts'
import { PEOPLE, personOf } from '../workload/payload.ts'

/** What arrived in a run, in order. */
export interface ArrivalLog {
  /** Refs, each where it arrived first. */
  readonly order: Int32Array
  /** In the same order, the event ids: 26 bytes each, zeros where an event had none. */
  readonly ids: Uint8Array
  /** What came again; `dropped` where its id was that of the first time, by which Customer.io drops it. */
  readonly again: readonly { readonly ref: number; readonly id: string; readonly dropped: boolean }[]
}

export const ULID_LENGTH = 26

/** What was committed: the event's id by ref. Refs of one person rise with their commits. */
export type Committed = ReadonlyMap<number, string>

/**
 * The oracle of the fault tests on a benchmark's run: nothing lost, nothing out of order, nothing applied twice, every
 * event under the id that it was given at enqueue. Sentences; empty where every promise held.
 */
export function judgeArrivals(log: ArrivalLog, committed: Committed): string[] {
  const verdict = judge({
    written: Array.from(committed, ([ref, id]) => written(ref, id)),
    acknowledged: new Set(),
    rolledBack: new Set(),
    pending: [],
    deadLettered: [],
    applied: applied(log),
    duplicates: log.again
      .filter(({ dropped }) => dropped)
      .map(({ ref, id }) => ({ ...received(ref, id), sameBody: undefined })),
  })
  return describeFindings(verdict)
}

function written(ref: number, id: string): Written {
  const position = Math.floor(ref / PEOPLE) + 1
  return { ref: String(ref), person: personOf(ref), position, id, isEvent: true }
}

function* applied({ order, ids, again }: ArrivalLog): Iterable<Received> {
  const text = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1')
  for (const [index, ref] of order.entries()) {
    const id = text.slice(index * ULID_LENGTH, (index + 1) * ULID_LENGTH)
    yield received(ref, id.charCodeAt(0) === 0 ? '' : id)
  }
  for (const { ref, id, dropped } of again) if (!dropped) yield received(ref, id)
}

function received(ref: number, id: string): Received {
  return { ulid: id === '' ? undefined : id, body: { attributes: { ref } } }
}
