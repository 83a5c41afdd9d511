/**
 * What doctor says about relays, destinations and workspaces. Each test makes a real fault. It fails if the check is removed
 * from examine.ts.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { findingsOf } from '../support/doctor.ts'

const ok = (what: unknown) => ({ level: 'ok', what })
const warning = (what: unknown, next: unknown) => ({ level: 'warning', what, next })
const failure = (what: unknown, next: unknown) => ({ level: 'failure', what, next })

let db: TestDatabase
beforeEach(async () => {
  db = await createTestDatabase()
})
afterEach(() => db.drop())

describe('workspaces', () => {
  let us: FakeCustomerIo
  let eu: FakeCustomerIo
  beforeEach(async () => {
    us = await startFakeCustomerIo()
    eu = await startFakeCustomerIo({ region: 'eu' })
  })
  afterEach(async () => {
    await Promise.all([us.close(), eu.close()])
  })

  test('the region and the key of each workspace of the config file are checked, and no key is printed', async () => {
    eu.misbehave({ kind: 'unauthorized' })
    const folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-doctor-'))
    const key = { siteId: { env: 'KEY' }, trackApiKey: { env: 'KEY' } }
    const workspaces = {
      right: { ...key, trackUrl: us.url },
      moved: { ...key, trackUrl: us.url, region: 'eu' },
      refused: { ...key, trackUrl: eu.url, region: 'eu' },
      gone: { ...key, trackUrl: 'http://127.0.0.1:1' },
      messages: { appApiKey: { env: 'KEY' } },
    }
    const config = path.join(folder, 'workspaces.json')
    await writeFile(config, JSON.stringify({ workspaces }))
    const env = { DATABASE_URL: db.url, KEY: 'a-secret-of-customerio' }
    const { stdout, stderr } = await runCli(['doctor', '--json', '--config', config], env)
    await rm(folder, { recursive: true })
    expect(stdout + stderr).not.toContain('a-secret-of-customerio')
    const lines = JSON.parse(stdout).findings.filter(({ name }: { name: string }) => name === 'workspaces')
    expect(lines).toMatchObject([
      ok('right: Customer.io accepts the Track API key; region us'),
      failure(
        'moved: the account is in region us, the settings say eu',
        'set the region of moved to us: CUSTOMERIO_REGION=us, or region in the config file',
      ),
      failure(
        'refused: Customer.io refuses the site id and the Track API key (401)',
        expect.stringMatching(/^correct CUSTOMERIO_SITE_ID .*docs\/operations\.md#paused$/),
      ),
      warning(
        expect.stringMatching(/^gone: Customer\.io did not say its region: /),
        expect.stringMatching(/^check DNS/),
      ),
      ok('messages: not checked, because it has no credentials of the Track API'),
    ])
  })

  test('without credentials the line says what to give', async () => {
    expect(await findingsOf('workspaces', db.url)).toEqual([
      ok('not checked: no credentials here; set those of a relay, or pass its --config'),
    ])
  })
})

describe('relays', () => {
  const join = (version: string, schemaVersion: number, host = 'host-1') =>
    db.rows(
      `INSERT INTO outbox.relays (relay_id, host, pid, version, started_at, last_seen_at, schema_version)
       VALUES (gen_random_uuid(), $1, 1, $2, now(), now(), $3)`,
      [host, version, schemaVersion],
    )
  const known = async () =>
    (await db.rows<{ v: number }>('SELECT max(version) AS v FROM outbox.migrations'))[0]?.v ?? 0

  test('relays of several versions are a warning, and one that the schema does not allow is a failure', async () => {
    await join('0.2.0', await known())
    expect(await findingsOf('relays', db.url)).toEqual([ok('1 running, version 0.2.0')])
    await join('0.1.0', await known())
    const mixed = warning(
      'relays of several versions run: 1 of version 0.2.0, 1 of version 0.1.0',
      'finish the upgrade; see docs/operations.md#housekeeping-and-upgrades',
    )
    expect(await findingsOf('relays', db.url)).toEqual([mixed])
    await db.rows('DELETE FROM outbox.relays')
    await join('0.1.0', (await known()) - 1, 'host-2')
    expect(await findingsOf('relays', db.url)).toEqual([
      failure(
        expect.stringMatching(
          new RegExp(
            `^relay \\w{8} on host-2, version 0\\.1\\.0, knows schema version ${(await known()) - 1}; the schema needs ${await known()}$`,
          ),
        ),
        'stop it on host-2, and start the new version of customerio-outbox relay',
      ),
    ])
  })
})

describe('lag, dead letters and health', () => {
  const enqueueOld = (seconds: number) =>
    db
      .rows(
        `WITH e AS MATERIALIZED (SELECT id FROM outbox.enqueue('track', '{"customerId": 1, "name": "x"}')) SELECT FROM e`,
      )
      .then(() =>
        db.rows('UPDATE outbox.intents SET enqueued_at = now() - make_interval(secs => $1)', [seconds]),
      )

  test('a destination that is behind is a warning; its breaker decides the next step', async () => {
    await enqueueOld(30)
    expect(await findingsOf('lag', db.url)).toMatchObject([
      ok(expect.stringMatching(/^no due intent waits for over 60 s; the oldest for 3\d s$/)),
    ])
    await enqueueOld(600)
    const behind = (state: string) =>
      expect.stringMatching(
        new RegExp(`^default/track is 60\\d s behind, with 2 due; its breaker is ${state}$`),
      )
    expect(await findingsOf('lag', db.url)).toEqual([
      warning(behind('closed'), 'see docs/operations.md#behind-with-a-closed-breaker'),
    ])
    await db.rows("SELECT outbox.pause('default/track')")
    expect(await findingsOf('lag', db.url)).toEqual([
      warning(behind('paused'), 'customerio-outbox resume default/track'),
    ])
    for (const [state, anchor] of Object.entries({
      open: 'breaker-open',
      paused: 'paused',
      rejecting: 'rejecting',
    })) {
      await db.rows('UPDATE outbox.breakers SET state = $1, retry_at = now()', [state])
      expect(await findingsOf('lag', db.url)).toEqual([
        warning(behind(state), `see docs/operations.md#${anchor}`),
      ])
    }
  })

  test('dead letters of the last hour are a warning, and older ones are counted', async () => {
    expect(await findingsOf('dead_letters', db.url)).toEqual([ok('none')])
    await db.rows(
      `INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason)
       SELECT gen_random_uuid(), 'default/track', n, 1, 'track', '{}', 'u1', 'normal', 'park', now(),
              now() - interval '2 minutes', 'rejected' FROM generate_series(1, 3) n`,
    )
    expect(await findingsOf('dead_letters', db.url)).toEqual([
      warning(
        'default/track: 3 of operation track and reason rejected; the newest came 2 min ago',
        'customerio-outbox dead list --destination default/track --operation track --reason rejected',
      ),
    ])
    await db.rows("UPDATE outbox.dead_letters SET dead_at = now() - interval '2 hours'")
    expect(await findingsOf('dead_letters', db.url)).toEqual([
      ok('none of the last hour; 3 older ones are kept'),
    ])
  })

  test('each reason of health that no other line reports is a warning with its own next step', async () => {
    await enqueueOld(600)
    expect(await findingsOf('health', db.url)).toEqual([ok('down, for reasons that other lines report')])
    await db.rows(
      `SELECT outbox.pause('default/app', 'ticket 1');
       INSERT INTO outbox.breakers (destination, state, opened_at, last_error) VALUES
         ('default/broadcast', 'rejecting', now(), '400'), ('default/track', 'open', now(), '503');
       UPDATE outbox.origin SET database_oid = 1;
       INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason, holds)
       VALUES (gen_random_uuid(), 'default/track', 1, 1, 'track', '{}', 'u1', 'normal', 'park', now(), now(), 'rejected', true);
       UPDATE outbox.intents SET payload = '{"key": "key-of-2025"}', format = 3;
       INSERT INTO outbox.relays (relay_id, host, pid, version, format, started_at, last_seen_at, polls_failing_since, poll_error, encryption_keys)
       VALUES (gen_random_uuid(), 'host-1', 1, '0.1.0', 3, now(), now(), now(), 'disk full', '{}')`,
    )
    const starting = (text: string) => expect.stringMatching(new RegExp(`^${text}`))
    expect((await findingsOf('health', db.url)).toSorted((a, b) => a.what.localeCompare(b.what))).toEqual([
      warning(
        starting('default/app is paused since .*: paused by postgres: ticket 1'),
        'customerio-outbox resume default/app',
      ),
      warning(starting('default/broadcast is rejecting'), 'see docs/operations.md#rejecting'),
      warning(
        starting('default/track has intents that were encrypted with key key-of-2025'),
        'see docs/encryption.md#a-key-is-missing',
      ),
      warning(
        starting('default/track holds the later intents of 1 key '),
        'see docs/operations.md#held-keys',
      ),
      warning(starting('default/track is open'), 'see docs/operations.md#breaker-open'),
      failure(
        starting('relay .* on host host-1 cannot poll since .*: disk full'),
        'see docs/operations.md#connections',
      ),
      warning(starting('this database is a copy of '), 'see docs/backups.md'),
    ])
  })
})
