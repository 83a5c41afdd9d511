import type { Command } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { destinations, readSettings, settings } from '../settings/settings.ts'

const resumeSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema, destinations }

/** `customerio-outbox resume` */
export function addResumeCommand(program: Command): void {
  const command = program
    .command('resume <destination...>')
    .description(
      'end a pause of <workspace>/<api>, or a stop after rejections; probe now if its breaker is open or its key was refused. In a destination, * stands for any characters',
    )
    .option('--preview', 'print the destinations, and change nothing')
    .action(async (names: string[], flags) => {
      const given = readSettings(resumeSettings, { ...flags, destinations: names })
      const { runResume } = await import('../run/run-resume.ts')
      await runResume({ ...given, preview: Boolean(flags.preview), json: Boolean(flags.json) })
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['after a pause', 'resume default/app'],
    ['every destination', "resume '*'"],
    ['Customer.io is back, but the next probe is minutes away', 'resume default/track'],
  ])
}
