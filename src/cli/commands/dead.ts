import type { Command } from 'commander'
import { addFilterOptions, filterOf } from '../settings/filter-flags.ts'
import { readSettings, settings, wholeNumber } from '../settings/settings.ts'
import { addBulkOptions, bulk } from './bulk-options.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const deadSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  encryptionKeys: settings.encryptionKeys,
  limit: wholeNumber('--limit', 1, 10_000).default(50),
}

/** `customerio-outbox dead` */
export function addDeadCommand(program: Command): void {
  const dead = program.command('dead').description('list, show, edit, redrive or discard dead letters')
  addList(dead)
  addShow(dead)
  addEdit(dead)
  addRedrive(dead)
  addDiscard(dead)
}

function addList(dead: Command): void {
  const command = dead
    .command('list')
    .description('list dead letters, the newest first')
    .option('--limit <count>', 'letters of a page (default: 50)')
    .option('--after <position>', 'next page: the position that the page before has printed')
    .action(async (flags) => {
      const given = readSettings(deadSettings, flags)
      const { runDeadList } = await import('../run/operate/run-dead-list.ts')
      await runDeadList(
        given,
        { filter: filterOf(flags), limit: given.limit, after: flags.after },
        Boolean(flags.json),
      )
    })
  addFilterOptions(command, 'dead letters')
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['those of the last two hours that Customer.io refused', 'dead list --reason rejected --since 2h'],
    ['of one person, for a script', "dead list --person u1 --json | jq '.letters[].message'"],
  ])
}

function addShow(dead: Command): void {
  const command = dead
    .command('show <id>')
    .description('show a dead letter with its payload, and what happened to it')
    .action(async (id: string, flags) => {
      const given = readSettings(deadSettings, flags)
      const { runDeadShow } = await import('../run/operate/run-dead-show.ts')
      await runDeadShow(given, id, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [['by its id or ULID', 'dead show 01a20a1d-5e19-71c8-ae3c-9274b2d19327']])
}

function addEdit(dead: Command): void {
  const command = dead
    .command('edit <id>')
    .description('edit the payload of a dead letter in $EDITOR; the old payload stays in the history')
    .option('--payload <file>', 'take the payload from a JSON file; - reads standard input')
    .option('--because <text>', 'why; recorded with the database user')
    .action(async (id: string, flags) => {
      const given = readSettings(deadSettings, flags)
      const { runDeadEdit } = await import('../run/operate/run-dead-edit.ts')
      await runDeadEdit(given, { id, file: flags.payload, because: flags.because }, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['in an editor', 'dead edit 01a20a1d-5e19-71c8-ae3c-9274b2d19327'],
    ['from a script', 'dead edit 01a20a1d-5e19-71c8-ae3c-9274b2d19327 --payload fixed.json'],
  ])
}

function addRedrive(dead: Command): void {
  const command = dead
    .command('redrive')
    .description('send dead letters again, with their ids and times')
    .option('--restamp', 'give them the present time: an old identify then overwrites a newer one')
    .option('--rate <count>', 'intents a second, at most')
    .action((flags) => bulk('redrive', flags, { restamp: flags.restamp }))
  addFilterOptions(command, 'dead letters')
  addBulkOptions(command, [
    ['look first', 'dead redrive --reason rejected --since 2h --preview'],
    ['then do exactly that', 'dead redrive --reason rejected --since 2h --apply redrive-50000-0f3a… --watch'],
  ])
}

function addDiscard(dead: Command): void {
  const command = dead
    .command('discard')
    .description('delete dead letters')
    .option('--rate <count>', 'letters a second, at most')
    .action((flags) => bulk('discard', flags))
  addFilterOptions(command, 'dead letters')
  addBulkOptions(command, [
    ['those that expired', 'dead discard --reason expired --until 7d --because "ticket 1234" --yes'],
  ])
}
