import type { Answer, RefusedOperation } from '../../customerio/answers/answer.ts'
import type { RowIdentity } from '../../store/lanes/lane.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'

export type Verdict =
  | ({ readonly kind: 'settle' } & Settlement)
  /** One of several broke the request: halve it. */
  | { readonly kind: 'split' }
  /** Not these intents' fault, and the destination is held back. */
  | { readonly kind: 'wait' }
  /**
   * The destination's fault, or the credential's, as far as one answer tells. `applied` says whether the request may have
   * taken effect, `status` what it answered, if anything, and `refused` that it blames the credential.
   */
  | {
      readonly kind: 'fail'
      readonly applied: 'no' | 'unknown'
      readonly status: number | undefined
      readonly message: string
      readonly refused?: 'credential'
    }

export type Failure = Extract<Verdict, { readonly kind: 'fail' }>

/** What an answer means for the intents that were sent. Pure. */
export function interpretAnswer(answer: Answer | undefined, part: readonly BatchEntry[]): Verdict {
  switch (answer?.kind) {
    case undefined:
    case 'rate_limited':
      return { kind: 'wait' }
    case 'credential': {
      const { status, message } = answer
      return { kind: 'fail', applied: 'no', status, message, refused: 'credential' }
    }
    case 'unavailable':
      return {
        kind: 'fail',
        applied: answer.outcome === 'unknown' ? 'unknown' : 'no',
        status: answer.status,
        message: answer.message,
      }
    case 'accepted':
      return { kind: 'settle', ...settleItems(part, answer.refused), ...deliveryIds(part, answer.deliveryId) }
    case 'rejected':
    case 'too_large': {
      const [only, ...others] = part
      if (only === undefined || others.length > 0) return { kind: 'split' }
      const { kind: reason, status, message } = answer
      const field = 'field' in answer ? answer.field : undefined
      const { seq, id } = only.row
      return { kind: 'settle', delivered: [], dead: [{ seq, id, reason, status, field, message }] }
    }
  }
}

/** What an answer blames unless the content is to blame. */
export function refusalOf({ kind }: Answer): Pick<Failure, 'refused'> {
  return kind === 'credential' ? { refused: 'credential' } : {}
}

/** Several errors may name one operation: the first is kept. An index that is not in the batch names nothing. */
function settleItems(part: readonly BatchEntry[], refused: readonly RefusedOperation[]): Settlement {
  if (refused.length === 0) return { delivered: part.map(({ row }) => row), dead: [] }
  const byIndex = new Map([...refused].reverse().map((error) => [error.index, error]))
  const delivered: RowIdentity[] = []
  const dead: Settlement['dead'][number][] = []
  for (const [index, { row }] of part.entries()) {
    const error = byIndex.get(index)
    if (error) {
      const message = [error.reason, error.message].filter(Boolean).join(': ')
      dead.push({ seq: row.seq, id: row.id, reason: 'rejected', status: 207, field: error.field, message })
    } else {
      delivered.push(row)
    }
  }
  return { delivered, dead }
}

function deliveryIds(part: readonly BatchEntry[], deliveryId: string | undefined) {
  const [only] = part
  return deliveryId === undefined || only === undefined
    ? {}
    : { deliveryIds: new Map([[only.row.id, deliveryId]]) }
}
