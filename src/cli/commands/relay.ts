import { type Command, Option } from 'commander'
import { addDatabaseOptions, addExamples } from './shared-options.ts'
import { readSettings } from '../settings/settings.ts'
import { relaySettings } from './relay-settings.ts'

/** `customerio-outbox relay` */
export function addRelayCommand(program: Command): void {
  const command = program
    .command('relay')
    .description(
      'deliver enqueued intents; any number of relays can share a database. Logs JSON lines to stdout',
    )
  addDatabaseOptions(command)
    .option(
      '--listen-url <url>',
      'direct connection for LISTEN, if DATABASE_URL is a pooler in transaction mode (environment: OUTBOX_LISTEN_URL)',
    )
    .option(
      '--config <path>',
      'JSON file with workspaces; the relay applies changes without a restart (environment: OUTBOX_CONFIG)',
    )
    .option('--no-check-region', 'do not ask Customer.io for the region of each workspace at the start')
    .option('--accept-copy', 'deliver from a copy of the database that the outbox belongs to; pass it once')
    .option('--port <port>', 'serve /healthz, /readyz, /health/customerio and /metrics (default: off)')
    .option('--host <address>', 'address to listen on, with --port (default: 0.0.0.0)')
    .addOption(
      new Option(
        '--shutdown-timeout <seconds>',
        'shutdown grace period, 1-3600; exit status 1 when it is exceeded',
      ).default('25', '25'),
    )
    .option(
      '--drain',
      'deliver the backlog before stopping; part of the grace period is kept for requests in flight',
    )
    .option(
      '--connections <number>',
      'database connections for delivery, 2-50 (default: 6); the relay opens 3 more, and 2 more with --port',
    )
    .option('--workers <number>', 'workers per destination, 1-64 (default: 16)')
    .option('--batch-size <number>', 'maximum intents per request, 1-2000 (default: 1000)')
    .option('--poll-interval <seconds>', 'fallback poll interval, 0.05-60 (default: 1)')
    .option('--request-timeout <seconds>', 'timeout of a request to Customer.io, 0.1-120 (default: 10)')
    .option('--breaker-failures <number>', 'consecutive failures that open the breaker (default: 5)')
    .option('--breaker-successes <number>', 'successful probes that close the breaker (default: 3)')
    .option('--breaker-half-open-after <seconds>', 'time from opening to the first probe (default: 30)')
    .option(
      '--breaker-max-half-open-after <seconds>',
      'maximum time to the next probe; each failed probe doubles the time (default: 300)',
    )
    .option(
      '--breaker-rejections <number>',
      'rejected intents that stop a destination until it is resumed; 0: never (default: 100)',
    )
    .option(
      '--breaker-rejection-share <share>',
      'share of recent intents that must be rejected to stop a destination, 0.01-1 (default: 0.5)',
    )
    .action(async (flags) => {
      const given = readSettings(relaySettings, flags)
      const { runRelay } = await import('../run/run-relay.ts')
      await runRelay(given)
    })
  addExamples(command, [
    ['with health checks and metrics', 'relay --port 8080'],
    ['several workspaces, whose keys may change', 'relay --config workspaces.json'],
    ['deliver the backlog before a long maintenance', 'relay --drain --shutdown-timeout 300'],
    [
      'against a fake Customer.io on this machine',
      'relay --breaker-half-open-after 1\n  # with CUSTOMERIO_TRACK_URL=http://127.0.0.1:8099',
    ],
  ])
}
