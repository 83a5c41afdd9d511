import type { Command } from 'commander'
import type { BulkKind } from '../../operate/actions.ts'
import type { Decision } from '../run/operate/run-bulk.ts'
import { readSettings, settings, wholeNumber } from '../settings/settings.ts'
import { filterOf } from '../settings/filter-flags.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

/** Adds the flags of every bulk action. */
export function addBulkOptions(command: Command, examples: readonly (readonly [string, string])[]): Command {
  command
    .option('--preview', 'print what would be done, and its plan; change nothing')
    .option('--apply <plan>', 'do what a preview has printed; refuse if the set has changed since')
    .option('--yes', 'do it without a question')
    .option('--because <text>', 'why; recorded with the database user')
    .option('--watch', 'show the progress until the action has ended')
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, examples)
  return command
}

const bulkSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  rate: wholeNumber('--rate', 1, 1_000_000).optional(),
}

/**
 * Runs a bulk action with the flags of its command.
 *
 * @param options Options of the action apart from `rate`.
 */
export async function bulk(
  kind: BulkKind,
  flags: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { rate, ...target } = readSettings(bulkSettings, flags)
  const { runBulk } = await import('../run/operate/run-bulk.ts')
  await runBulk(target, {
    kind,
    filter: filterOf(flags),
    options: JSON.parse(JSON.stringify({ ...options, rate })),
    because: flags.because as string | undefined,
    decision: decisionOf(flags),
    watch: Boolean(flags.watch),
    json: Boolean(flags.json),
  })
}

function decisionOf(flags: Readonly<Record<string, unknown>>): Decision {
  if (flags.preview) return { kind: 'preview' }
  if (flags.apply !== undefined) return { kind: 'apply', plan: String(flags.apply) }
  return flags.yes ? { kind: 'yes' } : { kind: 'ask' }
}
