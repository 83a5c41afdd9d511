/*
 * Whose failure was it, and what happens next? `attribute` decides, from evidence alone; `attributeFailure` gets the
 * comparison that the decision may need; the sender acts:
 *
 *   attribution    when                                              batch (send-part.ts)         message (end-wave.ts)
 *   intent         its content may be to blame, and others pass      halve the batch; charge      charge an attempt
 *                                                                    the single culprit
 *   credential     it was refused, to other requests too             pause the destination; the turn ends
 *   destination    others fail as well                               the turn ends; the breaker counts failures
 *   retry_later    no content is to blame (timeout, open breaker,    the turn ends; the lane tries again after its backoff
 *                  stop), or the failure proves nothing
 *   undecided      its content may be to blame, and nothing shows    compare: ask for the account, or send a canary
 *                  whether others pass
 *
 * A failure is charged to one of them only, so a request that may be an intent's failure does not count for the breaker
 * (`countsAtOnce`). In an outage the canaries fail, and their failures count.
 */
import type { Comparison, Blamed } from '../breaker/failure-history.ts'

export type Attribution = 'intent' | Blamed | 'retry_later'

export interface Evidence {
  /** What the failure blames, unless content is the cause: `credential` for 401 and 403. */
  readonly blames: Blamed
  /** Whether the request's content may be to blame: see `mayBeContent`. */
  readonly mayBeContent: boolean
  /** Whether other requests have passed so recently that the failure needs no comparison. */
  readonly othersPass: boolean
}

/** Decides whose failure it was. Pure. */
export function attribute(evidence: Evidence, comparison: Comparison): Attribution
export function attribute(evidence: Evidence, comparison?: Comparison): Attribution | 'undecided'
export function attribute(
  { blames, mayBeContent, othersPass }: Evidence,
  comparison?: Comparison,
): Attribution | 'undecided' {
  if (!mayBeContent) return 'retry_later'
  if (othersPass) return 'intent'
  switch (comparison) {
    case undefined:
      return 'undecided'
    case 'pass':
      return 'intent'
    case 'fail':
      return blames
    case 'inconclusive':
      return 'retry_later'
  }
}

/** What this relay remembers of a failed request. */
export interface FailureRecord {
  /** Whether other requests have passed since this one failed first: see `FailureHistory.hasPassedFor`. */
  readonly othersPassed: boolean
  /**
   * Whether the failure alone says nothing about other requests, for example because the content of its intent was to blame
   * before.
   */
  readonly provesNothing: boolean
}

/** The comparison if there is no other request to compare with: it rests on what the relay remembers. Pure. */
export function compareWithHistory({ othersPassed, provesNothing }: FailureRecord): Comparison {
  if (othersPassed) return 'pass'
  return provesNothing ? 'inconclusive' : 'fail'
}

/**
 * Whether a failure counts for the breaker when it arrives. It does not count if it may be the failure of an intent, because
 * the attribution decides that later. Pure.
 *
 * @param canCompare Whether there is another request to compare with. Called only if nothing else decides.
 */
export function countsAtOnce(
  mayBeContent: boolean,
  record: FailureRecord,
  canCompare: () => boolean,
): boolean {
  return !(mayBeContent && (compareWithHistory(record) !== 'fail' || canCompare()))
}
