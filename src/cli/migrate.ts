import type { Command } from 'commander'
import { namesOf } from '../store/names.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './options.ts'
import { readSettings, settings } from './settings.ts'

/** `customerio-outbox migrate` */
export function addMigrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description(
      "create the outbox' schema, or bring it to this version; safe to run again, and twice at once",
    )
    .option('--sql', 'change nothing: print what would be run, for psql')
    .action(async (flags) => {
      const { databaseUrl, schema } = readSettings(
        { databaseUrl: settings.databaseUrl, schema: settings.schema },
        flags,
      )
      const options = { connectionString: databaseUrl, schema }
      if (flags.sql) await printScript(options, Boolean(flags.json))
      else await run(options, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['bring the schema up to date, in a deployment', 'migrate'],
    [
      'look at it first, or run it as another user',
      'migrate --sql | psql "$ADMIN_DATABASE_URL" -v ON_ERROR_STOP=1',
    ],
  ])
}

interface Target {
  readonly connectionString: string
  readonly schema: string | undefined
}

async function run(options: Target, json: boolean): Promise<void> {
  const { migrate } = await import('../store/migrate.ts') // it loads pg-boss: other commands need not
  const { schema } = namesOf(options.schema)
  const onWait = (message: string) => console.error(`customerio-outbox: ${message}`)
  const { applied, version } = await migrate({ ...options, onWait })
  if (json) {
    console.log(JSON.stringify({ schema, version, applied }))
    return
  }
  const done = applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`
  console.log(`schema "${schema}" is at version ${version}: ${done}`)
}

async function printScript(options: Target, json: boolean): Promise<void> {
  const { migrationScript } = await import('../store/migrate.ts')
  const sql = await migrationScript(options)
  if (json) console.log(JSON.stringify({ schema: namesOf(options.schema).schema, sql }))
  else console.log(sql === '' ? '-- nothing to do' : sql)
}
