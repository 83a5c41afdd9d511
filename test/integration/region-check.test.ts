import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, type Relay, type RelayEvents, WrongRegionError } from '../../src/relay.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
let us: FakeCustomerIo
let eu: FakeCustomerIo
const relays: Relay[] = []
beforeEach(async () => {
  db = await createTestDatabase()
  us = await startFakeCustomerIo()
  eu = await startFakeCustomerIo({ region: 'eu' })
})
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()))
  await Promise.all([us.close(), eu.close()])
  await db.drop()
})

const at = (fake: FakeCustomerIo, region?: 'us' | 'eu') => ({
  siteId: 'site',
  trackApiKey: 'key',
  trackUrl: fake.url,
  region,
})

function relayOf(options: Partial<Parameters<typeof createRelay>[0]>) {
  const relay = createRelay({ connectionString: db.url, ...options })
  relays.push(relay)
  const unchecked: RelayEvents['regionUnchecked'][0][] = []
  relay.on('regionUnchecked', (each) => unchecked.push(each))
  return { relay, unchecked }
}

test('a relay does not start if workspaces are in another region; the error has a line for each', async () => {
  const { relay } = relayOf({
    workspaces: { right: at(eu, 'eu'), first: at(eu), second: at(us, 'eu'), app: { appApiKey: 'key' } },
  })
  const error = await relay.start().then(
    () => undefined,
    (error: Error) => error,
  )
  expect(error).toBeInstanceOf(WrongRegionError)
  expect((error as WrongRegionError).message.split('\n').sort()).toEqual([
    'Expected the region of workspace first to be eu, where its account is, got us',
    'Expected the region of workspace second to be us, where its account is, got eu',
  ])
})

test('the command relay prints one line for a workspace in another region, and exits with status 2', async () => {
  const { status, stderr } = await runCli(['relay'], {
    DATABASE_URL: db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key-of-eu',
    CUSTOMERIO_TRACK_URL: eu.url,
  })
  expect(stderr).toBe(
    'customerio-outbox: Expected the region of workspace default to be eu, where its account is, got us\n',
  )
  expect(status).toBe(2)
})

test('a relay starts although a credential is refused or an answer does not come in time', async () => {
  us.credentials = { siteId: 'site', apiKey: 'another' }
  eu.misbehave({ kind: 'hang' })
  const { relay, unchecked } = relayOf({
    workspaces: { refused: at(us), silent: at(eu) },
    requestTimeoutMs: 300,
  })
  const before = performance.now()
  await relay.start()
  expect(performance.now() - before).toBeLessThan(10_000)
  expect(unchecked.sort((a, b) => a.workspace.localeCompare(b.workspace))).toMatchObject([
    { workspace: 'refused', reason: 'credential_refused' },
    { workspace: 'silent', reason: 'unreachable' },
  ])
})

test('with checkRegion: false no request is made', async () => {
  const { relay, unchecked } = relayOf({ customerio: at(eu), checkRegion: false })
  await relay.start()
  expect(unchecked).toEqual([])
  expect(eu.counts.requests).toBe(0)
})
