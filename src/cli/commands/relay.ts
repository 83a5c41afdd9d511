import { type Command, Option } from 'commander'
import { addDatabaseOptions, addExamples } from './shared-options.ts'
import { readSettings } from '../settings/settings.ts'
import { relaySettings } from './relay-settings.ts'

/** `customerio-outbox relay` */
export function addRelayCommand(program: Command): void {
  const command = program
    .command('relay')
    .description('deliver what was enqueued; run any number on one database. Logs are JSON lines on stdout')
  addDatabaseOptions(command)
    .option(
      '--listen-url <url>',
      'direct connection for LISTEN, where DATABASE_URL is a pooler (environment: OUTBOX_LISTEN_URL)',
    )
    .option('--config <path>', 'workspaces, as JSON; followed while it changes (environment: OUTBOX_CONFIG)')
    .option('--no-check-region', 'start without asking Customer.io in which region the workspaces live')
    .option('--accept-copy', 'deliver from a copy of the database that the outbox belongs to; give it once')
    .option('--port <port>', 'serve /healthz, /readyz, /health/customerio and /metrics (default: no port)')
    .option('--host <address>', 'address to serve them on (default: 0.0.0.0)')
    .addOption(
      new Option(
        '--shutdown-timeout <seconds>',
        'grace period after SIGTERM or SIGINT; exit status 1 if it is exceeded',
      ).default('25', '25'),
    )
    .option('--drain', 'on a signal, drain the backlog first; reserves time for requests in flight')
    .option(
      '--connections <number>',
      'to the database for its work, 2-50 (default: 6); 3 more to listen and hand out lanes, 2 with --port',
    )
    .option('--lanes <number>', 'lanes of each destination worked at a time, 1-64 (default: 16)')
    .option('--batch-size <number>', 'intents of one request at most, 1-2000 (default: 1000)')
    .option('--poll-interval <seconds>', 'fallback poll interval, without a wake-up (default: 1)')
    .option('--request-timeout <seconds>', 'for one request to Customer.io (default: 10)')
    .option('--breaker-failures <number>', 'failures in a row that open the breaker (default: 5)')
    .option('--breaker-successes <number>', 'successes that close it again (default: 3)')
    .option('--breaker-half-open-after <seconds>', 'from opening to the first probe (default: 30)')
    .option(
      '--breaker-max-half-open-after <seconds>',
      'longest delay; each failed probe doubles it (default: 300)',
    )
    .option(
      '--breaker-rejections <number>',
      'rejected intents that stop a destination until it is resumed, 0: never (default: 100)',
    )
    .option(
      '--breaker-rejection-share <share>',
      'share of the last intents that must be rejected for that, 0.01-1 (default: 0.5)',
    )
    .action(async (flags) => {
      const given = readSettings(relaySettings, flags)
      const { runRelay } = await import('./run-relay.ts') // other commands need not load it
      await runRelay(given)
    })
  addExamples(command, [
    ['with probes and metrics', 'relay --port 8080'],
    ['several workspaces, whose keys may change meanwhile', 'relay --config workspaces.json'],
    ['look at it', 'relay --port 8080 & curl -s localhost:8080/health/customerio'],
    [
      'against a stand-in for Customer.io',
      'relay --breaker-half-open-after 1   # with CUSTOMERIO_TRACK_URL set',
    ],
  ])
}
