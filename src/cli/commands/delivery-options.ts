import type { Command } from 'commander'

/** What the help says differently for `relay` and `drain`. */
export interface DeliveryHelp {
  /** Which connections are opened beside those of `--connections`. */
  readonly moreConnections: string
}

/** Adds the flags of delivery that `relay` and `drain` share. */
export function addDeliveryOptions(command: Command, { moreConnections }: DeliveryHelp): Command {
  return command
    .option('--no-check-region', 'do not ask Customer.io for the region of each workspace at the start')
    .option('--accept-copy', 'deliver from a copy of the database that the outbox belongs to; pass it once')
    .option(
      '--connections <number>',
      `database connections for delivery, 2-50 (default: 6); ${moreConnections}`,
    )
    .option('--workers <number>', 'workers per destination, 1-64 (default: 16)')
    .option('--batch-size <number>', 'maximum intents per request, 1-2000 (default: 1000)')
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
    .option(
      '--on-dead <choice>',
      'later intents of the key of a dead letter, in the workspace of the environment: continue, or hold until it is redriven or discarded (default: continue)',
    )
    .option(
      '--delivered-payloads <drop|keep>',
      'whether to keep the payloads of delivered intents of the workspace default, for replay (default: drop)',
    )
    .option(
      '--delivered-payload-days <number>',
      'days to keep them, 1-3653; above 92 until the month ends (default: 30)',
    )
}
