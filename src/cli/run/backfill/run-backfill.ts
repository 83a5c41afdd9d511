import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import {
  advanceBackfill,
  type BackfillSource,
  type BackfillState,
  readBackfill,
  startBackfill,
} from '../../../operate/backfill.ts'
import type { Database } from '../../../store/connection/database.ts'
import { EXIT, SettingError } from '../../errors.ts'
import { count } from '../../output/format.ts'
import { type Target, withDatabase } from '../connection.ts'
import { dryRun } from './dry-run.ts'
import { checkRow } from './intent-of-row.ts'
import { openProgress } from './progress.ts'
import { openSource, type Source } from './source.ts'

export interface Backfill {
  /** Undefined with `resume`. */
  readonly source: BackfillSource | undefined
  /** The id of a backfill that was started before. */
  readonly resume: string | undefined
  /** URL of the database to read from. Default: the outbox's. */
  readonly sourceUrl: string | undefined
  readonly dryRun: boolean
  readonly report: string | undefined
  readonly skipInvalid: boolean
  readonly chunk: number
  /** Rows a second. */
  readonly rate: number | undefined
  readonly because: string | undefined
  readonly json: boolean
}

/** Enqueues what a query selects, in chunks. */
export async function runBackfill(target: Target, given: Backfill): Promise<void> {
  const client = new pg.Client({
    connectionString: given.sourceUrl ?? target.databaseUrl,
    application_name: 'customerio-outbox backfill source',
  })
  client.on('error', () => {}) // the next query fails with it
  await client.connect()
  try {
    await withDatabase(target, 'backfill', (db) => run(db, client, given))
  } finally {
    await client.end().catch(() => {})
  }
}

async function run(db: Database, client: pg.Client, given: Backfill): Promise<void> {
  const begun = given.resume === undefined ? undefined : await openBegun(db, given.resume)
  const described = begun?.source ?? given.source
  if (!described) throw new SettingError('Expected --sql, --as and --key, or --resume ACTION')
  const source = await openSource(client, described)
  if (given.dryRun) {
    await dryRun(source, described, given.report, given.json)
    return
  }
  const state = begun ?? (await begin(db, described, source, given))
  if (!given.json) {
    console.log(
      `backfill ${state.actionId}: ${count(state.processed)} of ${count(source.total)} rows are enqueued`,
    )
  }
  await enqueueAll(db, source, state, given)
}

async function openBegun(db: Database, actionId: string): Promise<BackfillState> {
  const begun = await readBackfill(db, actionId)
  if (!begun)
    throw new SettingError(
      `Expected --resume to be the id of a backfill, got ${actionId}: run customerio-outbox actions`,
    )
  if (begun.state !== 'running')
    throw new SettingError(`Expected a backfill that has not ended, got one that is ${begun.state}`)
  return begun
}

async function begin(
  db: Database,
  source: BackfillSource,
  { total }: Source,
  { because }: Backfill,
): Promise<BackfillState> {
  const actionId = await startBackfill(db, source, total, because)
  return { actionId, source, state: 'running', total, processed: 0, after: null }
}

async function enqueueAll(
  db: Database,
  source: Source,
  { actionId, source: described, processed, after: begunAfter }: BackfillState,
  { chunk, rate, skipInvalid, json }: Backfill,
): Promise<void> {
  const progress = openProgress(source.total, processed)
  let done = processed
  let skipped = 0
  let state = 'running'
  try {
    for (let after = begunAfter; state === 'running'; ) {
      const startedAt = performance.now()
      const rows = await source.read(after, chunk)
      const checked = rows.map((row) => checkRow(row, described))
      const invalid = checked.filter((row) => row.kind === 'invalid')
      if (invalid[0] && !skipInvalid) throw invalidRow(invalid[0], actionId)
      const intents = checked.flatMap((row) => (row.kind === 'valid' ? [row.text] : []))
      const upto = rows.at(-1)?.key ?? after
      state = await advanceBackfill(db, actionId, {
        intents,
        after,
        upto: upto ?? '',
        isLast: rows.length < chunk,
        skipped: invalid.length,
      })
      if (state === 'cancelled') break
      after = upto
      done += intents.length
      skipped += invalid.length
      progress.update(done + skipped)
      if (rate !== undefined)
        await delay(Math.max(0, (rows.length / rate) * 1_000 - (performance.now() - startedAt)))
    }
  } finally {
    progress.close()
  }
  if (json) console.log(JSON.stringify({ actionId, state, enqueued: done, skipped, total: source.total }))
  else
    console.log(
      `${state}: ${count(done)} of ${count(source.total)} rows are enqueued, ${count(skipped)} were left out`,
    )
  if (state !== 'done') process.exitCode = EXIT.failed
}

function invalidRow(
  { key, error }: { readonly key: string; readonly error: string },
  actionId: string,
): Error {
  return new SettingError(
    `row ${key} is invalid: ${error}: run with --dry-run for all of them, then correct the query, or continue with --resume ${actionId} --skip-invalid`,
  )
}
