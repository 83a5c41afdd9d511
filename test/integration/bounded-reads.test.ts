/**
 * Each of these changes makes a test fail. The number of pages that the test then read is in brackets:
 * - EXISTS instead of a row with LIMIT in find-ready-lanes.ts (2,512) or in `workspace_in_use` (190,630);
 * - the end of a gap as a condition of the scan in find-unserved.ts (62,209);
 * - a join in promote-scheduled.ts (11,106), or no `seq` in the index `intents_scheduled` (10,289);
 * - `clock_timestamp()` in maintain.ts (12,175).
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { namesOf } from '../../src/store/names.ts'
import type { Database } from '../../src/store/connection/database.ts'
import { findUnserved } from '../../src/store/fleet/find-unserved.ts'
import { findReadyLanes } from '../../src/store/lanes/find-ready-lanes.ts'
import { promoteScheduled } from '../../src/store/lanes/promote-scheduled.ts'
import { auditLanes } from '../../src/store/lanes/audit-lanes.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const BACKLOG = 60_000
const SCHEDULED = 150_000
const DEDUP_KEYS = 60_000
/** In pages of 8 KB. The intents of the backlog alone fill over 1,000 pages, and their primary key over 200. */
const FEW_PAGES = 300
/** Deleting and inserting a thousand intents reads 7,139 pages, however many more are due. */
const PAGES_OF_A_THOUSAND = 8_500
/** The last two destinations have no intents, and no relay has worked them. */
const SERVED = ['default/track', 'default/app', 'default/broadcast']

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  await db.rows(`
    INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after)
    SELECT 'default/track', CASE WHEN n <= ${BACKLOG} THEN n % 16 ELSE -1 END, gen_random_uuid(), 'track',
           '{"customerId": "u1", "name": "x"}', 'u1', now(), CASE WHEN n > ${BACKLOG} THEN now() END
    FROM generate_series(1, ${BACKLOG + SCHEDULED}) n`)
  await db.rows(`
    INSERT INTO outbox.lanes (destination, lane, watermark, provisional_watermark)
    SELECT 'default/track', n, 5, 5 FROM generate_series(0, 15) n`)
  await db.rows(`
    INSERT INTO outbox.dedup SELECT 'default', 'k' || n, gen_random_uuid(), now() + interval '7 days'
    FROM generate_series(1, ${DEDUP_KEYS}) n`)
  await db.rows(`
    UPDATE outbox.unserved_workspaces SET name = 'gone' || slot WHERE slot <= 20`)
  await db.rows('DELETE FROM outbox.intents WHERE seq <= 5')
  await db.rows('VACUUM ANALYZE outbox.intents, outbox.lanes, outbox.dedup, outbox.unserved_workspaces')
})
afterAll(() => db.drop())

/** Counts the pages that a statement and its functions read. The statement is rolled back. */
async function pagesOf(text: string, values: readonly unknown[] = []): Promise<number> {
  const tx = await db.begin()
  try {
    const { rows } = await tx.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, [...values])
    const [{ Plan: plan }] = rows[0]['QUERY PLAN']
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  } finally {
    await tx.query('ROLLBACK')
    tx.release()
  }
}

/** Counts the pages of the statements that `work` sends. */
async function pagesOfWork(work: (spy: Database) => Promise<unknown>): Promise<number> {
  let pages = 0
  const query = async (text: string, values: readonly unknown[] = []) => {
    pages += await pagesOf(text, values)
    return []
  }
  await work({ names: namesOf(), query } as unknown as Database)
  return pages
}

test.each<[string, (spy: Database) => Promise<unknown>]>([
  ['a poll', (spy) => findReadyLanes(spy, { served: SERVED, except: [], breakersOf: SERVED })],
  ['the audit of the watermarks', (spy) => auditLanes(spy, SERVED)],
  ['the search for workspaces that no relay serves', (spy) => findUnserved(spy, SERVED)],
])('%s reads few pages with any backlog', async (_, work) => {
  expect(await pagesOfWork(work)).toBeLessThan(FEW_PAGES)
})

test('unused workspace names are freed without a scan of the queue', async () => {
  expect(await pagesOf("SELECT outbox.register_workspaces('{default}')")).toBeLessThan(10 * FEW_PAGES) // it frees 20 names
})

test('a promotion of a thousand intents reads no more pages if 150,000 fall due at once', async () => {
  expect(await pagesOfWork((spy) => promoteScheduled(spy, SERVED))).toBeLessThan(PAGES_OF_A_THOUSAND)
})

test('expired keys are found through the index', async () => {
  const text = await statementOf('dedup')
  expect(await pagesOf(text)).toBeLessThan(FEW_PAGES)
})

/** Returns the first statement of the maintenance that refers to the table. */
async function statementOf(table: string): Promise<string> {
  const { maintain } = await import('../../src/store/fleet/maintain.ts')
  const seen: string[] = []
  const query = async (text: string) => {
    seen.push(text)
    return []
  }
  const spy = { names: namesOf(), query } as unknown as Database
  await maintain(spy, { workspaces: [], payloadDays: [], deliveredRetentionDays: 7, isEnding: () => false })
  return seen.find((text) => text.includes(`outbox".${table}`)) ?? ''
}
