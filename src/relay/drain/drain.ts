import { findOpenActions } from '../../store/actions/find-open-actions.ts'
import { type Database, openDatabase } from '../../store/connection/database.ts'
import { readPending } from '../../store/lanes/read-pending.ts'
import type { CopiedDatabaseError } from '../../store/origin/copied-database-error.ts'
import type { DrainEnd } from '../dispatch/wait-until-drained.ts'
import { resolveDrainOptions } from '../options-schema.ts'
import { Relay } from '../relay.ts'
import type { DrainOptions } from './drain-options.ts'
import type { DrainResult, PendingIntents } from './drain-result.ts'
import { Ending } from './ending.ts'
import { lookFirst } from './look-first.ts'

/**
 * Milliseconds from the end of the last possible request until the drain gives up. A healthy database settles that request
 * and closes in a fraction of this time. To give up takes two seconds more.
 */
const CLOSE_MS = 3_000

/**
 * Delivers what is in the queue, and ends: for a cron job or a serverless function, where no relay runs all the time. Any
 * number of drains and relays may run at once; they share the work, and order holds. Intents that are enqueued meanwhile are
 * delivered too.
 *
 * It also carries out the bulk actions of operators. It ends when the queue is empty, when nothing can be delivered, or when its time is up. What is left stays in the queue. At
 * its end it has settled every request, handed back its lanes and closed every connection.
 *
 * @param options The options of a relay, and how long the drain may take.
 * @returns what was delivered, what is left, and why.
 * @throws InvalidSettingError if an option is missing, unknown or out of bounds.
 * @throws SchemaVersionError if the schema is missing, too old or too new.
 * @throws CopiedDatabaseError if the database is a copy of the one that the outbox belongs to, and `acceptCopy` is not set.
 * @throws WrongRegionError if Customer.io answers that a workspace lives in another region than its settings say.
 * @throws the error of the database if it cannot be reached at the start or at the end. Then intents stay queued.
 *
 * @example
 * ```ts
 * import { drain } from 'customerio-outbox/relay'
 *
 * export async function handler() {
 *   const { outcome, delivered, left } = await drain({
 *     connectionString: 'postgres://app:secret@localhost:5432/app',
 *     customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key' },
 *     forMs: 45_000, // for a function with a time limit of 60 s
 *   })
 *   console.log(outcome, delivered)
 *   for (const { destination, pending, state } of left) console.warn(destination, pending, state)
 * }
 * ```
 */
export async function drain(options: DrainOptions): Promise<DrainResult> {
  const { forMs, signal, observe, relay: settings } = resolveDrainOptions(options)
  const { connectionString, schema, requestTimeoutMs } = settings
  const startedAt = performance.now()
  const relay = new Relay(settings, 'drain')
  const counts = countSettled(relay)
  observe?.(relay)
  const db = openDatabase({ connectionString, schema, max: 1, applicationName: 'customerio-outbox drain' })
  const ending = new Ending(forMs, signal)
  try {
    const run = await ending.withGrace(requestTimeoutMs + CLOSE_MS, runDrain(db, relay, ending))
    const milliseconds = Math.round(performance.now() - startedAt)
    if (run === undefined) throw await giveUp(relay, db, milliseconds)
    const { end, unserved, left, openActions } = run
    const done = { ...counts, unserved, milliseconds }
    if (end === 'empty' || left.length + openActions === 0) {
      return { outcome: 'empty', ...done, left: [], openActions: 0 }
    }
    return { outcome: end, ...done, left, openActions }
  } finally {
    ending.close()
    await db.close()
  }
}

interface Run {
  readonly end: DrainEnd
  readonly unserved: readonly string[]
  readonly left: readonly PendingIntents[]
  readonly openActions: number
}

async function runDrain(db: Database, relay: Relay, ending: Ending): Promise<Run> {
  try {
    const { verdict, unserved } = await lookFirst(db, relay.destinations, ending.leftMs)
    const end = verdict === 'has_work' ? await runRelay(relay, ending) : verdict
    if (end === 'empty') return { end, unserved, left: [], openActions: 0 }
    const { length: openActions } = await findOpenActions(db)
    return { end, unserved, left: await readPending(db, relay.destinations), openActions }
  } catch (error) {
    silence(relay) // the errors of the shutdown follow from this one
    throw error
  } finally {
    await relay.stop()
  }
}

/** Runs the relay until its drain ends. Returns why it ended. */
async function runRelay(relay: Relay, ending: Ending): Promise<DrainEnd> {
  let end: DrainEnd = 'aborted'
  let copy: CopiedDatabaseError | undefined
  relay.once('drained', (drained) => {
    end = drained.end
  })
  relay.once('copyFound', (found) => {
    copy = found
  })
  ending.signal.addEventListener('abort', () => void relay.stop(), { once: true })
  if (!ending.signal.aborted) await relay.start()
  await relay.stop({ drainMs: ending.leftMs })
  if (copy) throw copy
  return end === 'aborted' ? ending.cause : end
}

/** Adds up what the relay settles. */
function countSettled(relay: Relay) {
  const counts = { delivered: 0, deadLettered: 0, suppressed: 0 }
  relay.on('settled', ({ delivered, dead, suppressed }) => {
    counts.delivered += delivered
    counts.deadLettered += dead
    counts.suppressed += suppressed
  })
  return counts
}

/** Closes every connection without waiting for what is in flight. Returns the error that says so. */
async function giveUp(relay: Relay, db: Database, afterMs: number): Promise<Error> {
  silence(relay)
  await Promise.all([relay.abandon(), db.close()]) // each takes two seconds if its peer is gone
  const seconds = (afterMs / 1_000).toFixed(1)
  return new Error(
    `The database does not answer: the drain gave up after ${seconds} s. Requests that it could not settle will be sent again`,
  )
}

function silence(relay: Relay): void {
  relay.removeAllListeners('error').on('error', () => {})
}
