import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { type Resumed, resumeDestination } from '../../store/breakers/resume-destination.ts'
import type { Database } from '../../store/connection/database.ts'
import { age, shorten } from '../output/format.ts'
import { readBreaker, type Target, withDatabase } from './connection.ts'

/** Resumes a destination, and prints what changed. */
export async function runResume(
  given: Target & { readonly destination: string },
  json: boolean,
): Promise<void> {
  await withDatabase(given, 'resume', (db) => resume(db, given.destination, json))
}

async function resume(db: Database, name: string, json: boolean): Promise<void> {
  const result = await resumeDestination(db, name)
  const breaker = await readBreaker(db, name)
  const known = await destinationExists(db, name).catch(() => true) // only a hint, as in pause
  if (json) {
    console.log(JSON.stringify({ destination: name, result, retryAt: breaker?.retryAt ?? null, known }))
    return
  }
  console.log(`${name} ${describe(result, breaker)}`)
  if (!known) console.error(`no intent was ever enqueued for ${name}: check the name`)
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
