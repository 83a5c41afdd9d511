import { type Command, Option } from 'commander'
import { readSettings } from '../settings/settings.ts'
import { addDeliveryOptions } from './delivery-options.ts'
import { drainSettings } from './drain-settings.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

/** `customerio-outbox drain` */
export function addDrainCommand(program: Command): void {
  const command = program
    .command('drain')
    .description(
      'deliver what is in the queue, and end: for cron and serverless, where no relay runs all the time. Safe beside relays and other drains',
    )
    .addOption(
      new Option(
        '--for <duration>',
        'time after which no further request begins, such as 500ms, 50s, 2m or a number of seconds, 100ms-15m',
      ).default('50s', '50s'),
    )
    .option('--config <path>', 'JSON file with workspaces (environment: OUTBOX_CONFIG)')
  addJsonOption(addDatabaseOptions(command))
  addDeliveryOptions(command, { moreConnections: 'the drain opens up to 4 more' })
  command.action(async (flags) => {
    const given = readSettings(drainSettings, flags)
    const { runDrain } = await import('../run/run-drain.ts')
    await runDrain(given, Boolean(flags.json))
  })
  command.addHelpText(
    'after',
    `
The drain ends early when the queue is empty, and when nothing can be
delivered because breakers are open or destinations are paused. At its end,
and on SIGTERM, it finishes the requests in flight: it ends at most
--request-timeout and 5 s after --for. What is left stays in the queue.

Errors are logged to stderr as JSON lines. LOG_LEVEL sets the level (default
here: error).

Exit status:
  0  empty: no intent is pending, no bulk action of an operator is open; intents
     that are scheduled for later wait
  1  failure, such as a database that cannot be reached
  2  a setting is missing or wrong
  3  the time is up, and intents or bulk actions are left
  4  stopped: each destination that has intents left has an open breaker, or is
     paused, rejecting, or rate limited for longer than the time left
  130, 143  SIGINT or SIGTERM ended the drain, and intents are left`,
  )
  addExamples(command, [
    ['every minute, in a crontab', 'drain --for 50s'],
    ['in a function with a time limit of 60 s', 'drain --for 45s'],
    ['for a script', "drain --json | jq -r '.outcome'"],
  ])
}
