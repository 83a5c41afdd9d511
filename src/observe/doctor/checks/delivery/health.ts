import { readHealth } from '../../../views/read-health.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** The reasons of the view `health` that no other check reports. */
export const health: Check = { name: 'health', run: checkHealth }

/** For each reason its next step, which may name the first word of the reason: the destination. */
const NEXT: readonly (readonly [RegExp, (destination: string) => string])[] = [
  [/^\S+ is open since /, () => 'see docs/operations.md#breaker-open'],
  [/^\S+ is half_open since /, () => 'see docs/operations.md#breaker-half-open'],
  [/^\S+ is rejecting since /, () => 'see docs/operations.md#rejecting'],
  [/^\S+ is paused since .*: paused by /, (destination) => `customerio-outbox resume ${destination}`],
  [/^\S+ is paused since /, () => 'see docs/operations.md#paused'],
  [/ cannot poll since /, () => 'see docs/operations.md#connections'],
  [/ row format /, () => 'see docs/operations.md#a-row-format-that-no-relay-knows'],
  [/ that were encrypted with key /, () => 'see docs/encryption.md#a-key-is-missing'],
  [/ holds the later intents of /, () => 'see docs/operations.md#held-keys'],
  [/ overdue by /, () => 'see docs/operations.md#no-relay'],
  [
    / over 72 h old/,
    () => 'nothing can be done for them; to let such events expire, see maxAgeSeconds in docs/settings.md',
  ],
  [/^this database is a copy/, () => 'see docs/backups.md'],
]

/** Reasons that the checks relays, lag, dead_letters, notifications and partitions report. */
const REPORTED = [
  /^no relay is running/,
  /^\S+ is \d+ s behind$/,
  / dead letters? of the last hour$/,
  /^the server's queue of notifications/,
  /^delivered has no partition/,
]

async function checkHealth({ db, names }: Installation): Promise<readonly Finding[]> {
  const { status, reasons } = await readHealth(db, names)
  const others = reasons.filter((reason) => !REPORTED.some((pattern) => pattern.test(reason)))
  if (others.length > 0) return others.map((reason) => describe(reason, status))
  return [ok(status === 'ok' ? 'ok' : `${status}, for reasons that other lines report`)]
}

function describe(reason: string, status: string): Finding {
  const next = NEXT.find(([pattern]) => pattern.test(reason))?.[1](reason.split(' ', 1)[0] ?? '')
  // Of these reasons only failing polls can stop all delivery.
  const level = status === 'down' && / cannot poll since /.test(reason) ? failure : warning
  return level(reason, next ?? 'see the table of reasons in docs/operations.md')
}
