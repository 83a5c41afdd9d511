import type { Command } from 'commander'
import { SettingError } from '../errors.ts'
import { addFilterOptions } from '../settings/filter-flags.ts'
import { addBulkOptions, bulk } from './bulk-options.ts'

/** `customerio-outbox pending` */
export function addPendingCommand(program: Command): void {
  const pending = program
    .command('pending')
    .description('cancel or reschedule intents that are not delivered yet')
  const cancel = pending
    .command('cancel')
    .description('remove intents from the queue')
    .option('--rate <count>', 'intents a second, at most')
    .action((flags) => bulk('cancel', flags))
  addFilterOptions(cancel, 'intents')
  addBulkOptions(cancel, [
    ['messages of a wrong template', 'pending cancel --operation sendEmail --name 42 --preview'],
  ])
  const reschedule = pending
    .command('reschedule')
    .description('send intents at another time')
    .requiredOption('--at <time>', 'such as 2026-12-01T09:00:00Z, or now')
    .option('--rate <count>', 'intents a second, at most')
    .action((flags) => bulk('reschedule', flags, { at: futureTime(flags.at) }))
  addFilterOptions(reschedule, 'intents')
  addBulkOptions(reschedule, [
    ['send tomorrow', 'pending reschedule --operation sendEmail --at 2026-12-01T09:00:00Z --preview'],
    ['send scheduled ones now', 'pending reschedule --person u1 --at now --yes'],
  ])
}

/**
 * A past time means now. `now` is written as a time of the past, so that the plan of a preview stays the same.
 */
function futureTime(text: string): string {
  if (text === 'now') return new Date(0).toISOString()
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Number.NaN)
  if (!Number.isNaN(time.getTime())) return time.toISOString()
  throw new SettingError(
    `Expected --at to be now or a time such as 2026-12-01T09:00:00Z, got ${JSON.stringify(text)}`,
  )
}
