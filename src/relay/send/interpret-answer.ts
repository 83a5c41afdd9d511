import type { Answer } from '../../customerio/answers/answer.ts'
import type { RowIdentity } from '../../store/lanes/lane.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { Blamed } from '../breaker/failure-history.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'

export type Verdict =
  | ({ readonly kind: 'settle' } & Settlement)
  /** One of several intents broke the request: halve it. */
  | { readonly kind: 'split' }
  /** No failure of these intents: the breaker opened, or a 429 limits the destination. */
  | { readonly kind: 'wait' }
  /**
   * The request failed. `blames` is the cause as far as one answer shows it; `attributeFailure` decides. `applied` says
   * whether the request may have taken effect. `status` is undefined if no answer arrived.
   */
  | {
      readonly kind: 'fail'
      readonly applied: 'no' | 'unknown'
      readonly status: number | undefined
      readonly message: string
      readonly blames: Blamed
    }

type Accepted = Extract<Answer, { readonly kind: 'accepted' }>

export type Failure = Extract<Verdict, { readonly kind: 'fail' }>

/** What an answer means for the intents that were sent. Pure. */
export function interpretAnswer(answer: Answer | undefined, part: readonly BatchEntry[]): Verdict {
  switch (answer?.kind) {
    case undefined:
    case 'rate_limited':
      return { kind: 'wait' }
    case 'credential': {
      const { status, message } = answer
      return { kind: 'fail', applied: 'no', status, message, blames: 'credential' }
    }
    case 'unavailable':
      return {
        kind: 'fail',
        applied: answer.outcome === 'unknown' ? 'unknown' : 'no',
        status: answer.status,
        message: answer.message,
        blames: 'destination',
      }
    case 'accepted':
      return { kind: 'settle', ...settleItems(part, answer), ...deliveryIds(part, answer.deliveryId) }
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

/** What a failed request blames, unless the content of one of its intents is the cause. */
export function blameOf({ kind }: Answer): Blamed {
  return kind === 'credential' ? 'credential' : 'destination'
}

/**
 * Settles the operations that errors name as rejected, and all others as delivered. If several errors name one operation, the
 * first is kept. An index outside of the batch is ignored.
 */
function settleItems(part: readonly BatchEntry[], { status, refused }: Accepted): Settlement {
  if (refused.length === 0) return { delivered: part.map(({ row }) => row), dead: [] }
  const byIndex = new Map([...refused].reverse().map((error) => [error.index, error]))
  const delivered: RowIdentity[] = []
  const dead: Settlement['dead'][number][] = []
  for (const [index, { row }] of part.entries()) {
    const error = byIndex.get(index)
    if (error) {
      const message = [error.reason, error.message].filter(Boolean).join(': ')
      dead.push({ seq: row.seq, id: row.id, reason: 'rejected', status, field: error.field, message })
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
