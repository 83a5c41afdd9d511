import type { Command } from 'commander'
import { readSettings, settings, wholeNumber } from '../settings/settings.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const actionsSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  limit: wholeNumber('--limit', 1, 10_000).default(20),
}

/** `customerio-outbox actions` and `customerio-outbox cancel` */
export function addActionsCommands(program: Command): void {
  const actions = program
    .command('actions [id]')
    .description('list bulk actions, the newest first, or show one')
    .option('--limit <count>', 'actions (default: 20)')
    .option('--watch', 'with an id: show the progress until the action has ended')
    .action(async (id: string | undefined, flags) => {
      const given = readSettings(actionsSettings, flags)
      const { runActions } = await import('../run/operate/run-actions.ts')
      await runActions(given, { id, limit: given.limit, watch: Boolean(flags.watch) }, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(actions))
  addExamples(actions, [
    ['what runs, and who asked for it', 'actions'],
    ['follow one', 'actions 01a20a1d-5e19-71c8-ae3c-9274b2d19327 --watch'],
  ])
  const cancel = program
    .command('cancel <action>')
    .description('end a bulk action after the chunk that runs; what it has done stays done')
    .action(async (id: string, flags) => {
      const given = readSettings(actionsSettings, flags)
      const { runCancel } = await import('../run/operate/run-cancel.ts')
      await runCancel(given, id, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(cancel))
  addExamples(cancel, [['a redrive that was a mistake', 'cancel 01a20a1d-5e19-71c8-ae3c-9274b2d19327']])
}
