import { type Backlog, readBacklog } from '../../../views/read-backlog.ts'
import { type BreakerStatus, readBreakerState } from '../../../views/read-breaker-state.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** Seconds. The view `health` uses the same limit. */
const LAG_SECONDS = 60

/** How long the oldest due intent of each destination has waited. */
export const lag: Check = { name: 'lag', run: checkLag }

async function checkLag({ db, names }: Installation): Promise<readonly Finding[]> {
  const backlog = await readBacklog(db, names)
  const behind = backlog.filter(({ lagSeconds }) => lagSeconds > LAG_SECONDS)
  if (behind.length === 0) {
    const longest = Math.max(0, ...backlog.map(({ lagSeconds }) => lagSeconds))
    return [ok(`no due intent waits for over ${LAG_SECONDS} s; the oldest for ${Math.round(longest)} s`)]
  }
  const breakers = await readBreakerState(db, names)
  return behind.map((one) =>
    describe(
      one,
      breakers.find(({ destination }) => destination === one.destination),
    ),
  )
}

function describe(
  { destination, pending, lagSeconds, estimated }: Backlog,
  breaker: BreakerStatus | undefined,
): Finding {
  const count = `${estimated ? 'about ' : ''}${pending.toLocaleString('en-US')}`
  return warning(
    `${destination} is ${Math.round(lagSeconds)} s behind, with ${count} due; its breaker is ${(breaker?.state ?? 'closed').replace('_', ' ')}`,
    nextOf(destination, breaker),
  )
}

function nextOf(destination: string, breaker: BreakerStatus | undefined): string {
  switch (breaker?.state) {
    case 'open':
      return 'see docs/operations.md#breaker-open'
    case 'half_open':
      return 'see docs/operations.md#breaker-half-open'
    case 'rejecting':
      return 'see docs/operations.md#rejecting'
    case 'paused':
      return breaker.retryAt === null
        ? `customerio-outbox resume ${destination}`
        : 'see docs/operations.md#paused'
    default:
      return 'see docs/operations.md#behind-with-a-closed-breaker'
  }
}
