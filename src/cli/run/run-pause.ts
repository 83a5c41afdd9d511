import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { pauseDestination } from '../../store/breakers/pause-destination.ts'
import type { Database } from '../../store/connection/database.ts'
import { shorten } from '../output/format.ts'
import { readBreaker, type Target, withDatabase } from './connection.ts'

/** Pauses a destination, and prints its state. */
export async function runPause(
  given: Target & { readonly destination: string; readonly reason: string | undefined },
  json: boolean,
): Promise<void> {
  await withDatabase(given, 'pause', (db) => pause(db, given.destination, given.reason, json))
}

async function pause(db: Database, name: string, reason: string | undefined, json: boolean): Promise<void> {
  const paused = await pauseDestination(db, name, reason)
  const breaker = await readBreaker(db, name)
  // The warning below is a hint: a user without the right to read the tables gets none.
  const known = await destinationExists(db, name).catch(() => true)
  if (json) {
    const { state, lastError: reason } = breaker ?? {}
    console.log(JSON.stringify({ destination: name, paused, state, reason, known }))
    return
  }
  console.log(
    paused
      ? `${name} is paused: relays send no further requests until customerio-outbox resume ${name}`
      : `${name} was paused already, since ${since(breaker)}: ${shorten(breaker?.lastError ?? null, 200)}`,
  )
  if (!known)
    console.error(
      `no intent was ever enqueued for ${name}: check the name; customerio-outbox resume ${name} undoes the pause`,
    )
}

function since(breaker: BreakerStatus | undefined): string {
  return `${breaker?.openedAt?.toISOString().slice(0, 19) ?? '–'}Z`
}
