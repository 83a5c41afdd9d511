import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import { type Resumed, resumeDestinations } from '../../store/breakers/resume-destinations.ts'
import type { Database } from '../../store/connection/database.ts'
import { age, shorten } from '../output/format.ts'
import { chooseDestinations } from './choose-destinations.ts'
import { type Target, withDatabase } from './connection.ts'
import { readBreakers, renderPreview } from './read-breakers.ts'

interface ResumeRun extends Target {
  /** Destinations, and patterns with `*`. */
  readonly destinations: readonly string[]
  readonly preview: boolean
  readonly json: boolean
}

/** Resumes destinations, and prints what changed. */
export async function runResume(given: ResumeRun): Promise<void> {
  await withDatabase(given, 'resume', (db) => resume(db, given))
}

async function resume(db: Database, { destinations, preview, json }: ResumeRun): Promise<void> {
  const chosen = await chooseDestinations(db, destinations, 'refused')
  if (preview) {
    console.log(renderPreview(await readBreakers(db, chosen), 'resume', json))
    return
  }
  const done = new Map(
    (await resumeDestinations(db, chosen)).map(({ destination, result }) => [destination, result]),
  )
  const results = (await readBreakers(db, chosen)).map((one) => ({
    ...one,
    result: done.get(one.destination) ?? 'unchanged',
  }))
  if (json) {
    const states = results.map(({ destination, result, breaker }) => ({
      destination,
      result,
      retryAt: breaker?.retryAt ?? null,
    }))
    console.log(JSON.stringify({ preview: false, destinations: states }))
    return
  }
  for (const { destination, result, breaker } of results) {
    console.log(`${destination} ${describe(result, breaker)}`)
  }
}

function describe(result: Resumed, breaker: BreakerStatus | undefined): string {
  // The command does not end the wait of a rate limit, because Customer.io asked for it.
  const wait = breaker?.retrySeconds ? ` in ${age(breaker.retrySeconds)}, when the rate limit ends` : ''
  switch (result) {
    case 'resumed':
      return `is resumed: relays deliver its backlog${wait}`
    case 'probing':
      return `will be probed${wait || ' now'}; its last error: ${shorten(breaker?.lastError ?? null, 200)}`
    case 'unchanged':
      return `has a closed breaker: nothing to resume${wait && `; delivery continues${wait}`}`
  }
}
