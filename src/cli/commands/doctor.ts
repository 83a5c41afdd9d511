import type { Command } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readSettings, settings } from '../settings/settings.ts'

const doctorSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema }

/** `customerio-outbox doctor` */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('check the database, the schema and the fleet; print a next step for each problem')
    .action(async (flags) => {
      const given = readSettings(doctorSettings, flags)
      const { runDoctor } = await import('../run/run-doctor.ts')
      await runDoctor(given, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['before a deployment, or during a problem', 'doctor'],
    ['for a script', 'doctor --json | jq \'.findings[] | select(.level != "ok")\''],
  ])
}
