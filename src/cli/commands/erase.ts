import { type Command, Option } from 'commander'
import { addBulkOptions, bulk } from './bulk-options.ts'

/** `customerio-outbox erase` */
export function addEraseCommand(program: Command): void {
  const command = program
    .command('erase')
    .description(
      'delete everything of a person from the outbox: queue, dead letters, history, archive, dedup keys',
    )
    .requiredOption(
      '--person <identifier>',
      'id, email, phone or cio_id; give every identifier of the person',
      (value: string, previous: string[] = []) => [...previous, value],
    )
    .option('--workspace <name>', 'only in this workspace', (value: string, previous: string[] = []) => [
      ...previous,
      value,
    ])
    .addOption(
      new Option(
        '--also <operation>',
        'then tell Customer.io to delete the person, or to block the identifier too',
      ).choices(['destroy', 'suppress']),
    )
    .action((flags) => bulk('erase', flags, { also: flags.also }))
  addBulkOptions(command, [
    ['look first', 'erase --person u1 --person jane@example.com --preview'],
    [
      'erase, and delete the person at Customer.io',
      'erase --person u1 --also destroy --because "ticket 77" --yes',
    ],
  ])
}
