/*
 * Whose failure was it, and what happens next? `attribute` decides, from evidence alone; `attributeFailure` gets the
 * comparison that the decision may need; the sender acts:
 *
 *   attribution    when                                              batch (send-part.ts)         message (end-wave.ts)
 *   intent         its content may be to blame, and others pass      bisect the batch; charge     charge an attempt
 *                                                                    the single culprit
 *   credential     it was refused, and to others, too                pause the destination; the turn ends
 *   destination    others fail as well                               the turn ends; the breaker counts failures
 *   retry_later    no content is to blame (timeout, open breaker,    the turn ends; the lane tries again after its backoff
 *                  stop), or the failure proves nothing
 *   undecided      its content may be to blame, and nothing shows    compare: ask for the account, or send a canary
 *                  whether others pass
 *
 * A failure is charged to one of them only, so a request that may be an intent's failure does not count for the breaker
 * (`countsAtOnce`). In an outage the canaries fail, and those count.
 */
import type { Comparison, Blamed } from '../breaker/failure-history.ts'

export type Attribution = 'intent' | Blamed | 'retry_later'

export interface Evidence {
  /** What the failure blames unless content is to blame: `credential` for 401 and 403. */
  readonly blames: Blamed
  /** The request's content may be to blame: see `mayBeContent`. */
  readonly mayBeContent: boolean
  /** Other requests have passed so recently that the failure needs no comparison. */
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
  /** Others have passed since it failed first: see `FailureHistory.hasPassedFor`. */
  readonly othersPassed: boolean
  /** Alone, the failure is no evidence against others: for example that of an intent whose content was to blame before. */
  readonly provesNothing: boolean
}

/** The comparison if there is no other request to compare with: what the relay remembers decides. Pure. */
export function compareWithHistory({ othersPassed, provesNothing }: FailureRecord): Comparison {
  if (othersPassed) return 'pass'
  return provesNothing ? 'inconclusive' : 'fail'
}

/**
 * Whether a failure counts for the breaker when it arrives. It does not if it may be an intent's: the attribution decides
 * later. Pure.
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
