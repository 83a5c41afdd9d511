import type { Command } from 'commander'
import { SettingError } from '../errors.ts'
import { timeOf } from '../settings/filter-flags.ts'
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
    .option('--timeline', 'fold the kept payloads of a person into what Customer.io should know')
    .option('--until <time>', 'with --timeline: as of this time, or age such as 2h')
    .option('--limit <count>', 'newest intents in each place (default: 100)')
    .action(async (what: string, flags) => {
      const given = readSettings(findSettings, flags)
      if (flags.timeline) {
        const until =
          flags.until === undefined ? undefined : new Date(timeOf('--until', flags.until, new Date()))
        const { runTimeline } = await import('../run/operate/run-timeline.ts')
        await runTimeline(given, what, until, Boolean(flags.json))
        return
      }
      if (flags.until !== undefined) throw new SettingError('Expected --until with --timeline')
      const { runFind } = await import('../run/operate/run-find.ts')
      await runFind(given, what, given.limit, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['everything of a person', 'find jane@example.com'],
    ['what Customer.io should know of a person', 'find u1 --timeline --until 2d'],
    ['an event, by its ULID at Customer.io', 'find 01KQ51TQGSE74AWF4JEJSD34S7'],
  ])
}
