import type { DrainResult, PendingIntents } from '../../relay/drain/drain-result.ts'
import { count, duration } from './format.ts'

/**
 * Describes the result of a drain: one sentence, then a line for each destination that has intents left, and why.
 *
 * @param signal The signal that ended the drain, if one did.
 */
export function renderDrain(result: DrainResult, signal: NodeJS.Signals | undefined): string {
  const left = result.left.map((one) => `  ${one.destination}: ${pendingOf(one)}; ${whyLeft(one)}`)
  const unserved = result.unserved.map((name) => `  ${name}: no credentials; its intents wait`)
  const { openActions } = result
  const actions =
    openActions > 0
      ? [`  ${openActions} bulk action${openActions > 1 ? 's' : ''}: the next drain continues`]
      : []
  return [sentence(result, signal), ...left, ...unserved, ...actions].join('\n')
}

function sentence(result: DrainResult, signal: NodeJS.Signals | undefined): string {
  const took = `in ${duration(result.milliseconds)}`
  switch (result.outcome) {
    case 'empty':
      return isIdle(result)
        ? `The queue is empty: there was nothing to deliver (${took}).`
        : `The queue is empty: ${work(result)} ${took}.`
    case 'stopped':
      return `Delivery is stopped: ${work(result)} ${took}, ${total(result.left)}.`
    case 'time_is_up':
      return `The time is up: ${work(result)} ${took}, ${total(result.left)}.`
    case 'aborted':
      return `Ended by ${signal ?? 'a signal'}: ${work(result)} ${took}, ${total(result.left)}.`
  }
}

function isIdle({ delivered, deadLettered, suppressed }: DrainResult): boolean {
  return delivered + deadLettered + suppressed === 0
}

function work({ delivered, deadLettered, suppressed }: DrainResult): string {
  return [
    `${count(delivered)} delivered`,
    ...(deadLettered > 0 ? [`${count(deadLettered)} dead-lettered`] : []),
    ...(suppressed > 0 ? [`${count(suppressed)} suppressed by allowRecipients`] : []),
  ].join(', ')
}

function total(left: readonly PendingIntents[]): string {
  const pending = left.reduce((sum, one) => sum + one.pending, 0)
  return pendingOf({ pending, estimated: left.some(({ estimated }) => estimated) })
}

function pendingOf({ pending, estimated }: Pick<PendingIntents, 'pending' | 'estimated'>): string {
  return `${estimated ? 'about ' : ''}${count(pending)} pending`
}

/** Why intents of a destination are left, and what happens next. */
function whyLeft({ destination, state, retryAt, lastError }: PendingIntents): string {
  switch (state) {
    case 'closed':
      return 'the next drain delivers them'
    case 'half_open':
      return 'the breaker is half open; the next drain sends probes'
    case 'rejecting':
      return `rejecting: ${lastError}`
    case 'rate_limited':
      return `rate limited${until(retryAt)}: ${lastError}`
    case 'open':
      return `open, next probe${at(retryAt)}: ${lastError}`
    case 'paused':
      return retryAt === null
        ? `${lastError}; to continue, run customerio-outbox resume ${destination}`
        : `paused, next probe${at(retryAt)}: ${lastError}`
  }
}

const at = (time: Date | null) => (time ? ` at ${toSeconds(time)}` : '')
const until = (time: Date | null) => (time ? ` until ${toSeconds(time)}` : '')
const toSeconds = (time: Date) => `${time.toISOString().slice(0, 19)}Z`
