import type { Command } from 'commander'
import { addFilterOptions } from '../settings/filter-flags.ts'
import { addBulkOptions, bulk } from './bulk-options.ts'

/** `customerio-outbox replay` */
export function addReplayCommand(program: Command): void {
  const command = program
    .command('replay')
    .description('send delivered intents again, with their ids and times; their workspace must keep payloads')
    .option('--restamp', 'give them the present time: an old identify then overwrites a newer one')
    .option('--rate <count>', 'intents a second, at most')
    .action((flags) => bulk('replay', flags, { restamp: flags.restamp }))
  addFilterOptions(command, 'intents')
  addBulkOptions(command, [
    [
      'what was delivered while Customer.io lost data',
      'replay --since 2026-11-28T10:00Z --until 2026-11-28T12:00Z --preview',
    ],
    ['everything of a person', 'replay --person u1 --yes --watch'],
  ])
}
