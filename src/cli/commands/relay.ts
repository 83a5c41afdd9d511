import { type Command, Option } from 'commander'
import { addDatabaseOptions, addExamples } from './shared-options.ts'
import { readSettings } from '../settings/settings.ts'
import { addDeliveryOptions } from './delivery-options.ts'
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
    .option('--poll-interval <seconds>', 'fallback poll interval, 0.05-60 (default: 1)')
  addDeliveryOptions(command, { moreConnections: 'the relay opens 4 more, and 2 more with --port' })
  command.action(async (flags) => {
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
