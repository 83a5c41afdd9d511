import type { Command } from 'commander'
import type { BreakerStatus } from '../../observe/views/read-breaker-state.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { pauseDestination } from '../../store/breakers/pause-destination.ts'
import type { Database } from '../../store/connection/database.ts'
import { shorten } from '../output/format.ts'
import { destination, readSettings, settings } from '../settings/settings.ts'
import { readBreaker, withDatabase } from './connection.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const pauseSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destination }

/** `customerio-outbox pause` */
export function addPauseCommand(program: Command): void {
  const command = program
    .command('pause <destination>')
    .description('stop delivery to <workspace>/<api> for the whole fleet; apps can still enqueue')
    .option('--reason <text>', 'reason, shown by status and in the history')
    .action(async (name: string, flags) => {
      const given = readSettings(pauseSettings, { ...flags, destination: name })
      await withDatabase(given, 'pause', (db) =>
        run(db, given.destination, flags.reason, Boolean(flags.json)),
      )
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['stop emails with a mistake', 'pause default/app --reason "wrong template, ticket 1234"'],
    ['continue', 'resume default/app'],
  ])
}

async function run(db: Database, name: string, reason: string | undefined, json: boolean): Promise<void> {
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
