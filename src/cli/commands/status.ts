import type { Command } from 'commander'
import pg from 'pg'
import { readStatus, type Status } from '../../observe/views/read-status.ts'
import { namesOf } from '../../store/names.ts'
import { describeFailure } from '../errors.ts'
import { painter } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { readSettings, seconds, settings } from '../settings/settings.ts'
import { renderStatus } from '../output/status-tables.ts'
import { watch } from '../output/watch.ts'

const DEFAULT_WATCH_SECONDS = '2'

const statusSettings = {
  databaseUrl: settings.databaseUrl,
  schema: settings.schema,
  watch: seconds('--watch', 0.2, 3_600).optional(),
}

/** `customerio-outbox status` */
export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('show health, backlog, breakers, relays, dead letters and throughput')
    .option('--watch [seconds]', `refresh until Ctrl-C (default interval: ${DEFAULT_WATCH_SECONDS})`)
    .action(async (flags) => {
      const every = flags.watch === true ? DEFAULT_WATCH_SECONDS : flags.watch
      await run(readSettings(statusSettings, { ...flags, watch: every }), Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['once', 'status'],
    ['during an outage', 'status --watch 1'],
    ['for a script', "status --json | jq '.backlog[] | {destination, pending}'"],
  ])
}

async function run(
  given: ReturnType<typeof readSettings<typeof statusSettings>>,
  json: boolean,
): Promise<void> {
  const names = namesOf(given.schema)
  const pool = new pg.Pool({
    connectionString: given.databaseUrl,
    max: 1,
    application_name: 'customerio-outbox status',
    connectionTimeoutMillis: 5_000,
    query_timeout: 15_000,
  })
  pool.on('error', () => {}) // the next read reports it
  const paint = painter(process.stdout)
  const render = (status: Status) => (json ? JSON.stringify(status) : renderStatus(status, paint))
  try {
    const first = await readStatus(pool, names)
    if (given.watch === undefined) {
      console.log(render(first))
      return
    }
    await watch({
      everyMs: given.watch,
      repaint: !json && process.stdout.isTTY,
      first: render(first),
      next: () => readStatus(pool, names).then(render, (error) => renderError(error, json)),
    })
  } finally {
    await pool.end()
  }
}

/** With --watch a lost database is shown, and does not end the command. */
function renderError(error: unknown, json: boolean): string {
  const { line } = describeFailure(error)
  const message = redact(line)
  if (json) return JSON.stringify({ at: new Date(), error: message })
  return `no status: ${message} (retrying)`
}
