import { type DeadLetterCount, readDeadLetterSummary } from '../../../views/read-dead-letter-summary.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** Seconds. The view `health` uses the same limit. */
const RECENT_SECONDS = 3_600

/** Dead letters that are kept, and whether new ones come. */
export const deadLetters: Check = { name: 'dead_letters', run: checkDeadLetters }

async function checkDeadLetters({ db, names }: Installation): Promise<readonly Finding[]> {
  const kinds = await readDeadLetterSummary(db, names)
  const recent = kinds.filter(({ newestSeconds }) => newestSeconds < RECENT_SECONDS)
  if (recent.length > 0) return recent.map(describe)
  const kept = kinds.reduce((total, { count }) => total + count, 0)
  return [
    ok(kept === 0 ? 'none' : `none of the last hour; ${kept.toLocaleString('en-US')} older ones are kept`),
  ]
}

function describe({ destination, operation, reason, count, newestSeconds }: DeadLetterCount): Finding {
  return warning(
    `${destination}: ${count.toLocaleString('en-US')} of operation ${operation} and reason ${reason}; the newest came ${Math.round(newestSeconds / 60)} min ago`,
    `customerio-outbox dead list --destination ${destination} --operation ${operation} --reason ${reason}`,
  )
}
