import type { Command } from 'commander'
import { readSettings, settings, wholeNumber } from '../settings/settings.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const findSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  limit: wholeNumber('--limit', 1, 10_000).default(100),
}

/** `customerio-outbox find` */
export function addFindCommand(program: Command): void {
  const command = program
    .command('find <what>')
    .description(
      'what was enqueued, what waits and why, what was delivered, what died: by person, id, ULID, dedup key or delivery id',
    )
    .option('--limit <count>', 'newest intents in each place (default: 100)')
    .action(async (what: string, flags) => {
      const given = readSettings(findSettings, flags)
      const { runFind } = await import('../run/operate/run-find.ts')
      await runFind(given, what, given.limit, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['everything of a person', 'find jane@example.com'],
    ['an event, by its ULID at Customer.io', 'find 01KQ51TQGSE74AWF4JEJSD34S7'],
  ])
}
