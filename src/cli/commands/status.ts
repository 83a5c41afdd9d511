import type { Command } from 'commander'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readSettings, seconds, settings } from '../settings/settings.ts'

const DEFAULT_WATCH_SECONDS = '2'

const statusSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  watch: seconds('--watch', 0.2, 3_600).optional(),
}

/** `customerio-outbox status` */
export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('show health, backlog, breakers, relays, dead letters and throughput')
    .option('--watch [seconds]', `refresh until Ctrl-C (default interval: ${DEFAULT_WATCH_SECONDS})`)
    .action(async (flags) => {
      const every = flags.watch === true ? DEFAULT_WATCH_SECONDS : flags.watch
      const given = readSettings(statusSettings, { ...flags, watch: every })
      const { runStatus } = await import('../run/run-status.ts')
      await runStatus(given, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['once', 'status'],
    ['during an outage', 'status --watch 1'],
    ['for a script', "status --json | jq '.backlog[] | {destination, pending}'"],
  ])
}
