import type { Command } from 'commander'
import { type BreakerStatus, readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { type Database, openDatabase } from '../../store/connection/database.ts'
import { destinationExists } from '../../store/breakers/destination-exists.ts'
import { pauseDestination } from '../../store/breakers/pause-destination.ts'
import { shorten } from '../output/format.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { destination, readSettings, settings } from '../settings/settings.ts'

const pauseSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destination }

/** `customerio-outbox pause` */
export function addPauseCommand(program: Command): void {
  const command = program
    .command('pause <destination>')
    .description('stop delivery to <workspace>/<api> for the whole fleet; enqueue goes on')
    .option('--reason <text>', 'why, for whoever asks later')
    .action(async (name: string, flags) => {
      const given = readSettings(pauseSettings, { ...flags, destination: name })
      await withDatabase(given, 'pause', (db) =>
        run(db, given.destination, flags.reason, Boolean(flags.json)),
      )
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['a mistake must not become mail', 'pause default/app --reason "wrong template, ticket 1234"'],
    ['and on again', 'resume default/app'],
  ])
}

async function run(db: Database, name: string, reason: string | undefined, json: boolean): Promise<void> {
  const paused = await pauseDestination(db, name, reason)
  const breaker = await breakerOf(db, name)
  // A hint: it is paused all the same where the user may not look into the tables.
  const known = await destinationExists(db, name).catch(() => true)
  if (json) {
    const { state, lastError: reason } = breaker ?? {}
    console.log(JSON.stringify({ destination: name, paused, state, reason, known }))
    return
  }
  console.log(
    paused
      ? `${name} is paused: no relay begins another request, until customerio-outbox resume ${name}`
      : `${name} was paused already, since ${since(breaker)}: ${shorten(breaker?.lastError ?? null, 200)}`,
  )
  if (!known)
    console.error(
      `nothing was ever enqueued for ${name}: is the name right? customerio-outbox resume ${name} undoes it`,
    )
}

/** A connection for one statement or two. */
export async function withDatabase(
  given: { readonly databaseUrl: string; readonly schema?: string | undefined },
  command: string,
  work: (db: Database) => Promise<void>,
): Promise<void> {
  const db = openDatabase({
    connectionString: given.databaseUrl,
    schema: given.schema,
    max: 1,
    applicationName: `customerio-outbox ${command}`,
  })
  try {
    await work(db)
  } finally {
    await db.close()
  }
}

/** The destination's breaker after the command; undefined where it never had one. */
export async function breakerOf(db: Database, name: string): Promise<BreakerStatus | undefined> {
  const rows = await readBreakerState({ query: async (text) => ({ rows: await db.query(text) }) }, db.names)
  return rows.find((row) => row.destination === name)
}

function since(breaker: BreakerStatus | undefined): string {
  return `${breaker?.openedAt?.toISOString().slice(0, 19) ?? '–'}Z`
}
