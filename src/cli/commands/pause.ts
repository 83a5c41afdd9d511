import type { Command } from 'commander'
import { destinations, readSettings, settings } from '../settings/settings.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const pauseSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destinations }

/** `customerio-outbox pause` */
export function addPauseCommand(program: Command): void {
  const command = program
    .command('pause <destination...>')
    .description(
      'stop delivery to <workspace>/<api> for the whole fleet; apps can still enqueue. In a destination, * stands for any characters, and matches the known destinations',
    )
    .option('--reason <text>', 'reason, shown by status and in the history')
    .option('--preview', 'print the destinations, and change nothing')
    .option('--force', 'pause a destination that is not known too')
    .action(async (names: string[], flags) => {
      const given = readSettings(pauseSettings, { ...flags, destinations: names })
      const { runPause } = await import('../run/run-pause.ts')
      await runPause({
        ...given,
        reason: flags.reason,
        preview: Boolean(flags.preview),
        force: Boolean(flags.force),
        json: Boolean(flags.json),
      })
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['stop emails with a mistake', 'pause default/app --reason "wrong template, ticket 1234"'],
    ['stop every API of one workspace', "pause 'default/*'"],
    ['which destinations send messages?', "pause '*/app' --preview"],
    ['continue', 'resume default/app'],
  ])
}
