import type { Command } from 'commander'
import { destination, readSettings, settings } from '../settings/settings.ts'
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
      const { runPause } = await import('../run/run-pause.ts')
      await runPause({ ...given, reason: flags.reason }, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['stop emails with a mistake', 'pause default/app --reason "wrong template, ticket 1234"'],
    ['continue', 'resume default/app'],
  ])
}
