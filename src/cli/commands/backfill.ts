import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { OPERATIONS } from '../../intent/operations.ts'
import { SettingError } from '../errors.ts'
import { readSettings, settings, wholeNumber } from '../settings/settings.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'

const backfillSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  sourceUrl: settings.databaseUrl.optional(),
  chunk: wholeNumber('--chunk', 1, 10_000).default(2_000),
  rate: wholeNumber('--rate', 1, 1_000_000).optional(),
}

/** `customerio-outbox backfill` */
export function addBackfillCommand(program: Command): void {
  const command = program
    .command('backfill')
    .description(
      'enqueue a row of a query each, as bulk, in the order of a unique key; continues where it stopped',
    )
    .option('--sql <file>', 'file with the query; - reads standard input')
    .option('--as <operation>', 'operation of every intent, such as identify')
    .option('--key <column>', 'unique column; for identify and events it is the customerId')
    .option('--workspace <name>', 'workspace of the intents (default: default)')
    .option(
      '--source-url <url>',
      'read from another database, such as a replica (default: the database of the outbox)',
    )
    .option('--dry-run', 'check every row, and store nothing')
    .option('--report <file>', 'with --dry-run: write a JSON line for each row that no relay could send')
    .option('--skip-invalid', 'leave out such rows instead of stopping at the first one')
    .option('--resume <action>', 'continue a backfill that was stopped or killed')
    .option('--chunk <rows>', 'rows of a transaction (default: 2000)')
    .option('--rate <rows>', 'rows a second, at most')
    .option('--because <text>', 'why; recorded with the database user')
    .action(async (flags) => {
      const given = readSettings(backfillSettings, flags)
      const { runBackfill } = await import('../run/backfill/run-backfill.ts')
      await runBackfill(given, {
        source: await sourceOf(flags),
        resume: flags.resume,
        sourceUrl: given.sourceUrl,
        dryRun: Boolean(flags.dryRun),
        report: flags.report,
        skipInvalid: Boolean(flags.skipInvalid),
        chunk: given.chunk,
        rate: given.rate,
        because: flags.because,
        json: Boolean(flags.json),
      })
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    [
      'look for rows that Customer.io would refuse',
      'backfill --sql users.sql --as identify --key id --dry-run --report refused.jsonl',
    ],
    ['enqueue them', 'backfill --sql users.sql --as identify --key id'],
    ['continue after a crash', 'backfill --resume 01a20a1d-5e19-71c8-ae3c-9274b2d19327'],
  ])
}

async function sourceOf(flags: Readonly<Record<string, string | undefined>>) {
  const { sql, as, key, workspace = 'default', resume } = flags
  if (resume !== undefined) {
    if (sql ?? as ?? key)
      throw new SettingError('Expected --resume without --sql, --as and --key: the backfill has stored them')
    return undefined
  }
  if (sql === undefined || as === undefined || key === undefined) {
    throw new SettingError('Expected --sql FILE, --as OPERATION and --key COLUMN, or --resume ACTION')
  }
  if (!OPERATIONS.some((operation) => operation === as)) {
    throw new SettingError(`Expected --as to be an operation (${OPERATIONS.join(', ')}), got ${as}`)
  }
  const query = sql === '-' ? await text(process.stdin) : await readFile(sql, 'utf8').catch(cannotRead)
  return { sql: query, as, key, workspace }
}

function cannotRead(error: Error): never {
  throw new SettingError(`Expected --sql to be a file that can be read: ${error.message}`)
}
