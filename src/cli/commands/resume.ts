import type { Command } from 'commander'
import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import type { Database } from '../../store/connection/database.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { type Resumed, resumeDestination } from '../../store/breakers/resume-destination.ts'
import { age, shorten } from '../output/format.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { breakerOf, withDatabase } from './pause.ts'
import { destination, readSettings, settings } from '../settings/settings.ts'

const resumeSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destination }

/** `customerio-outbox resume` */
export function addResumeCommand(program: Command): void {
  const command = program
    .command('resume <destination>')
    .description(
      'end a pause of <workspace>/<api> or a stop after rejections, or try it now if its breaker is open or its key refused',
    )
    .action(async (name: string, flags) => {
      const given = readSettings(resumeSettings, { ...flags, destination: name })
      await withDatabase(given, 'resume', (db) => run(db, given.destination, Boolean(flags.json)))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['after a pause', 'resume default/app'],
    ['Customer.io is back, and the next probe is minutes away', 'resume default/track'],
  ])
}

async function run(db: Database, name: string, json: boolean): Promise<void> {
  const result = await resumeDestination(db, name)
  const breaker = await breakerOf(db, name)
  const known = await destinationExists(db, name).catch(() => true) // a hint, as in `pause`
  if (json) {
    console.log(JSON.stringify({ destination: name, result, retryAt: breaker?.retryAt ?? null, known }))
    return
  }
  console.log(`${name} ${describe(result, breaker)}`)
  if (!known) console.error(`nothing was ever enqueued for ${name}: is the name right?`)
}

function describe(result: Resumed, breaker: BreakerStatus | undefined): string {
  // A rate limit's wait outlasts the command: Customer.io has asked for it.
  const wait = breaker?.retrySeconds ? `, in ${age(breaker.retrySeconds)}, when a rate limit's wait ends` : ''
  switch (result) {
    case 'resumed':
      return `is resumed: its backlog goes out${wait}`
    case 'probing':
      return `is tried${wait === '' ? ' now' : wait}: it was held back by ${shorten(breaker?.lastError ?? null, 200)}`
    case 'unchanged':
      return `has a closed breaker: nothing to resume${wait === '' ? '' : `; it is tried${wait}`}`
  }
}
