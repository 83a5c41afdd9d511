import type { Command } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
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
      const { runResume } = await import('../run/run-resume.ts')
      await runResume(given, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['after a pause', 'resume default/app'],
    ['Customer.io is back, but the next probe is minutes away', 'resume default/track'],
  ])
}
