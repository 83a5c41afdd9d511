/**
 * A test fails after each of these changes:
 * - if the startup option `synchronous_commit=off` is always sent (`accepted = true` in lane-jobs.ts), the relay does not
 *   start;
 * - with `statement_timeout` as an option of reader.ts' pool, /readyz answers 503;
 * - if the relay does not verify that it receives notifications (`outcome = 'delivered'` in listener.ts), it does not warn;
 * - if notify-mode.ts ignores `isListening`, commits pay for notifications that no relay receives.
 */
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { createOperator } from '../../src/operator.ts'
import { drain, migrate } from '../../src/relay.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { operate } from '../support/operate.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { startRelayProcess } from '../support/relay-process.ts'
import { nextHeartbeat } from './support/heartbeat.ts'
import { findPgBouncer, type PgBouncer, startPgBouncer } from './support/servers/pgbouncer.ts'

const binary = findPgBouncer('scenario 24')

describe.skipIf(!binary)('24: PgBouncer in transaction mode', () => {
  let h: Harness
  let pooler: PgBouncer
  let pooled: string
  beforeEach(async () => {
    h = await startHarness({ sequenceOf: stepOf })
    pooler = await startPgBouncer(binary ?? '', inject('serverUrl'), { poolSize: 8 })
    pooled = pooler.url(h.db.url)
  })
  afterEach(async () => {
    await h.close()
    await pooler.close()
  })

  test('enqueue through PgBouncer works with pg and with Drizzle, and wakes the relay', async () => {
    await h.relay({ pollIntervalMs: 60_000 })
    const pool = new pg.Pool({ connectionString: pooled, max: 4 })
    const tx = await pool.connect()
    await tx.query('BEGIN')
    await h.outbox.enqueue(tx, track('u1', 1), { dedupKey: 'once' })
    await tx.query('COMMIT')
    tx.release()
    const again = await drizzle(pool).transaction((each) =>
      h.outbox.enqueue(each, track('u1', 1), { dedupKey: 'once' }),
    )
    expect(again.duplicate).toBe(true)
    await drizzle(pool).transaction((each) => h.outbox.enqueue(each, [track('u1', 2), track('u2', 3)]))
    await pool.end()
    await eventually('three delivered', () => h.fake.counts.applied === 3)
  })

  test('a drain behind PgBouncer delivers, and turns no notification on', async () => {
    await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n % 20}`, n)))
    const { url: trackUrl } = h.fake
    const customerio = { siteId: 'site', trackApiKey: 'key', trackUrl }
    const result = await drain({ connectionString: pooled, customerio })
    expect(result).toMatchObject({ outcome: 'empty', delivered: 200 })
    expect(h.fake.counts).toMatchObject({ applied: 200, outOfOrder: 0 })
    expect(await h.db.rows('SELECT last_value = 2 AS idle FROM outbox.notify_flag')).toEqual([
      { idle: false },
    ])
  })

  test('an operator behind PgBouncer previews, applies and follows an action, and a relay behind it carries it out', async () => {
    await operate(h).deadLetters(...Array.from({ length: 20 }, (_, n) => track(`u${n % 4}`, n)))
    await h.relay({ connectionString: pooled, pollIntervalMs: 200 })
    await using operator = createOperator({ connectionString: pooled })
    const filter = { reason: 'rejected' } as const
    const { intents, plan } = await operator.preview('redrive', filter)
    expect(intents).toBe(20)
    const actionId = await operator.apply('redrive', filter, plan, { reason: 'mended' })
    const seen = []
    for await (const { state } of operator.follow(actionId)) seen.push(state)
    expect(seen.at(-1)).toBe('done')
    await h.drained()
    expect(h.fake.counts).toMatchObject({ applied: 20, duplicates: 0, outOfOrder: 0 })
    expect((await operator.find('u1')).map(({ event }) => event)).toContain('redriven')
    expect((await operator.deadLetters()).letters).toEqual([])
  })

  test('a relay behind PgBouncer warns once, delivers by polling, and leaves no settings in pooled connections', async () => {
    const relay = await startRelayProcess(pooled, h.fake.url, '--poll-interval', '0.2', '--port', '0')
    await eventually('the warning', () => warnings(relay.log).length > 0)
    expect(warnings(relay.log)).toEqual(['no wake-ups; polling'])
    expect(relay.log.find(({ level }) => level === 'warn')).toMatchObject({
      reason: 'undelivered',
      setting: 'DATABASE_URL',
      pollIntervalMs: 200,
      hint: expect.stringMatching(
        /pooler in transaction mode, set OUTBOX_LISTEN_URL to a direct connection$/,
      ),
    })
    for (let n = 1; n <= 5; n++) await h.enqueue(track(`u${n}`, n))
    await eventually('five delivered', () => h.fake.counts.applied === 5)
    await nextHeartbeat(h.db) // the relay is idle by then
    // The relay does not listen, so the flag that makes commits notify is off.
    expect(await h.db.rows('SELECT last_value = 2 AS idle FROM outbox.notify_flag')).toEqual([
      { idle: false },
    ])
    const ready = relay.log.find(({ message }) => message === 'listening')
    const answers = await Promise.all(
      ['readyz', 'health/customerio', 'metrics'].map((path) =>
        fetch(`http://127.0.0.1:${ready?.port}/${path}`),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(await answers[2]?.text()).toContain('customerio_outbox_database_up 1')
    expect(relay.log.filter(({ level }) => level === 'error')).toEqual([])
    expect(await relay.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await strangeSettings()).toEqual([])
    expect(warnings(relay.log)).toHaveLength(1)
  })

  test('a relay behind PgBouncer with a direct connection for LISTEN is woken by notifications', async () => {
    const told: string[] = []
    const relay = await h.relay({
      connectionString: pooled,
      listenConnectionString: h.db.url,
      pollIntervalMs: 60_000,
    })
    relay.on('notListening', ({ message }) => told.push(message))
    for (let n = 1; n <= 3; n++) {
      await h.enqueue(track('u1', n))
      await eventually('it delivered', () => h.fake.counts.applied === n)
    }
    expect(told).toEqual([])
  })

  test('migrate through PgBouncer succeeds, even twice at once, and leaves no lock in a pooled connection', async () => {
    const db = await createTestDatabase('empty')
    try {
      const through = { connectionString: pooler.url(db.url) }
      const results = await Promise.all([migrate(through), migrate(through)])
      const applied = results.flatMap((result) => result.applied)
      expect(applied.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: results[0]?.version ?? 0 }, (_, n) => n + 1),
      )
      expect(
        await db.rows(
          `SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
           WHERE locktype = 'advisory' AND datname = current_database()`,
        ),
      ).toEqual([])
    } finally {
      await db.drop()
    }
  })

  /** Session settings, LISTENs and locks that the pooled connections pass on to their next client. */
  async function strangeSettings(): Promise<unknown[]> {
    const clients = Array.from({ length: 8 }, () => new pg.Client({ connectionString: pooled }))
    try {
      const found = await Promise.all(
        clients.map(async (client) => {
          await client.connect()
          await client.query('BEGIN') // so each client occupies another pooled connection
          const { rows } = await client.query(
            `SELECT name, setting FROM pg_settings WHERE source = 'session'
               AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
             UNION ALL SELECT 'LISTEN', channel FROM pg_listening_channels() AS channel WHERE channel = 'outbox:wake'
             UNION ALL SELECT 'lock', objid::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`,
          )
          return rows
        }),
      )
      return found.flat()
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
  }
})

function warnings(log: readonly Record<string, unknown>[]): unknown[] {
  return log.filter(({ level }) => level === 'warn').map(({ message }) => message)
}
