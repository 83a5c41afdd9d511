import pg from 'pg'
import { readStatus, type Status } from '../../observe/views/read-status.ts'
import { namesOf } from '../../store/names.ts'
import { describeFailure } from '../errors.ts'
import { painter } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { renderStatus } from '../output/status/render-status.ts'
import { watch } from '../output/watch.ts'
import type { Target } from './connection.ts'

interface StatusRun extends Target {
  /** Milliseconds between two reads. Undefined: one read. */
  readonly watch?: number | undefined
}

/** Prints the status once, or again and again with `--watch`. */
export async function runStatus(given: StatusRun, json: boolean): Promise<void> {
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
  const render = (status: Status) =>
    json ? JSON.stringify(status) : renderStatus(status, paint, process.stdout.columns)
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

/** Renders a failed read. With --watch a lost database is shown, and does not end the command. */
function renderError(error: unknown, json: boolean): string {
  const { line } = describeFailure(error)
  const message = redact(line)
  if (json) return JSON.stringify({ at: new Date(), error: message })
  return `no status: ${message} (retrying)`
}
