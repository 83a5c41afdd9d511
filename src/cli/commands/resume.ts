import type { Command } from 'commander'
import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import type { Database } from '../../store/connection/database.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { type Resumed, resumeDestination } from '../../store/breakers/resume-destination.ts'
import { age, shorten } from '../output/format.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readBreaker, withDatabase } from './connection.ts'
import { destination, readSettings, settings } from '../settings/settings.ts'

const resumeSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destination }

/** `customerio-outbox resume` */
export function addResumeCommand(program: Command): void {
  const command = program
    .command('resume <destination>')
    .description(
      'end a pause of <workspace>/<api>, or a stop after rejections; probe now if its breaker is open or its key was refused',
    )
    .action(async (name: string, flags) => {
      const given = readSettings(resumeSettings, { ...flags, destination: name })
      await withDatabase(given, 'resume', (db) => run(db, given.destination, Boolean(flags.json)))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['after a pause', 'resume default/app'],
    ['Customer.io is back, but the next probe is minutes away', 'resume default/track'],
  ])
}

async function run(db: Database, name: string, json: boolean): Promise<void> {
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
  // Customer.io asked for the wait of a rate limit: the command does not end it.
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
