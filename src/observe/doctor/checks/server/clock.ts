import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

const SAMPLES = 5
const WARNING_MS = 1_000
const FAILURE_MS = 60_000

/**
 * The difference between this machine's clock and the database's. The times of intents, and the timestamps that Customer.io
 * gets, are the database's.
 */
export const clock: Check = { name: 'clock', run: checkClock }

interface Sample {
  /** Milliseconds that the database's clock is ahead of this machine's. */
  readonly aheadMs: number
  /** Half of the round trip: the database read its clock at any time within it. */
  readonly uncertainMs: number
}

async function checkClock(installation: Installation): Promise<readonly Finding[]> {
  let best: Sample = await measure(installation)
  for (let n = 1; n < SAMPLES; n++) {
    const sample = await measure(installation)
    if (sample.uncertainMs < best.uncertainMs) best = sample
  }
  const { aheadMs, uncertainMs } = best
  const apart = `${seconds(Math.abs(aheadMs))} s (± ${seconds(uncertainMs)} s)`
  const surely = Math.abs(aheadMs) - uncertainMs
  if (surely <= WARNING_MS) return [ok(`this machine and the database differ by ${apart}`)]
  const what = `the database is ${apart} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine; intents get its time`
  const next = 'compare both machines with a time server: timedatectl timesync-status, or chronyc tracking'
  return [surely <= FAILURE_MS ? warning(what, next) : failure(what, next)]
}

async function measure({ db }: Installation): Promise<Sample> {
  await select(db, 'SELECT 1') // the connection is open from here on
  const began = Date.now()
  const [row] = await select<{ at: number }>(
    db,
    'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS at',
  )
  const ended = Date.now()
  return { aheadMs: (row?.at ?? Number.NaN) - (began + ended) / 2, uncertainMs: (ended - began) / 2 }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(ms < 10_000 ? 3 : 0)
}
