import { pauseDestinations } from '../../store/breakers/pause-destinations.ts'
import type { Database } from '../../store/connection/database.ts'
import { shorten } from '../output/format.ts'
import { chooseDestinations } from './choose-destinations.ts'
import { type Target, withDatabase } from './connection.ts'
import { type BreakerOf, readBreakers, renderPreview } from './read-breakers.ts'

interface PauseRun extends Target {
  /** Destinations, and patterns with `*`. */
  readonly destinations: readonly string[]
  readonly reason: string | undefined
  readonly preview: boolean
  /** Pause unknown destinations too. */
  readonly force: boolean
  readonly json: boolean
}

/** Pauses destinations, and prints the state of each. */
export async function runPause(given: PauseRun): Promise<void> {
  await withDatabase(given, 'pause', (db) => pause(db, given))
}

async function pause(db: Database, { destinations, reason, preview, force, json }: PauseRun): Promise<void> {
  const chosen = await chooseDestinations(db, destinations, force ? 'accepted' : 'refused without --force')
  if (preview) {
    console.log(renderPreview(await readBreakers(db, chosen), 'pause', json))
    return
  }
  const done = new Map(
    (await pauseDestinations(db, chosen, reason)).map(({ destination, paused }) => [destination, paused]),
  )
  const results = (await readBreakers(db, chosen)).map((one) => ({
    ...one,
    paused: done.get(one.destination) ?? false,
  }))
  if (json) {
    const states = results.map(({ destination, paused, breaker }) => ({
      destination,
      paused,
      state: breaker?.state,
      reason: breaker?.lastError,
    }))
    console.log(JSON.stringify({ preview: false, destinations: states }))
    return
  }
  console.log(results.map(describe).join('\n'))
}

function describe({ destination, breaker, paused }: BreakerOf & { readonly paused: boolean }): string {
  if (paused) {
    return `${destination} is paused: relays send no further requests until customerio-outbox resume ${destination}`
  }
  const since = `${breaker?.openedAt?.toISOString().slice(0, 19) ?? '–'}Z`
  return `${destination} was paused already, since ${since}: ${shorten(breaker?.lastError ?? null, 200)}`
}
