import type { Command } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readSettings, settings } from '../settings/settings.ts'

const { logLevel: _, ...doctorSettings } = settings

/** `customerio-outbox doctor` */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'check the database, the schema, the credentials and the fleet; print a next step for each problem. Ends within 10 s; exit status 1 if a check failed',
    )
    .option(
      '--listen-url <url>',
      'direct connection for LISTEN of the relays, if DATABASE_URL is a pooler (environment: OUTBOX_LISTEN_URL)',
    )
    .option(
      '--config <path>',
      'config file of the relays, to check the keys of its workspaces (environment: OUTBOX_CONFIG)',
    )
    .action(async (flags) => {
      const given = readSettings(doctorSettings, flags)
      const { runDoctor } = await import('../run/run-doctor.ts')
      await runDoctor(given, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['before a deployment, or during a problem', 'doctor'],
    ['with the keys of every workspace', 'doctor --config workspaces.json'],
    ['for a script', 'doctor --json | jq \'.findings[] | select(.level != "ok")\''],
  ])
}
