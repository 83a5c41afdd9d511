import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { type CliProcess, startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

let db: TestDatabase
let folder: string
const fakes: FakeCustomerIo[] = []
const processes: CliProcess[] = []
beforeEach(async () => {
  db = await createTestDatabase()
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-config-'))
})
afterEach(async () => {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL')
  await Promise.all(fakes.splice(0).map((fake) => fake.close()))
  await rm(folder, { recursive: true })
  await db.drop()
})

const inFolder = (name: string) => path.join(folder, name)

async function fakeOf(name: string, region: 'us' | 'eu' = 'us'): Promise<FakeCustomerIo> {
  const fake = await startFakeCustomerIo({
    siteId: `site-${name}`,
    trackApiKey: `track-key-of-${name}`,
    appApiKey: `app-key-of-${name}`,
    region,
  })
  fakes.push(fake)
  return fake
}

function workspaceOf(name: string, fake: FakeCustomerIo) {
  return {
    siteId: { env: `SITE_${name.toUpperCase()}` },
    trackApiKey: { file: `track-key-${name}` },
    appApiKey: { file: inFolder(`app-key-${name}`) },
    trackUrl: fake.url,
    appUrl: fake.url,
  }
}

async function writeKeys(name: string, trackKey = `track-key-of-${name}`) {
  await writeFile(inFolder(`track-key-${name}`), `${trackKey}\n`)
  await writeFile(inFolder(`app-key-${name}`), `app-key-of-${name}`)
}

const writeConfig = (workspaces: object) => writeFile(inFolder('relay.json'), JSON.stringify({ workspaces }))

async function startRelay(env: Record<string, string> = {}): Promise<CliProcess> {
  const relay = startCli(['relay', '--config', inFolder('relay.json')], {
    DATABASE_URL: db.url,
    SITE_A: 'site-a',
    SITE_B: 'site-b',
    ...env,
  })
  processes.push(relay)
  await relay.printed(/"message":"started"/)
  return relay
}

const enqueue = (workspace: string, ...ids: string[]) =>
  db.transaction((tx) =>
    createOutbox().enqueue(
      tx,
      ids.map((customerId) => ({ operation: 'identify' as const, customerId })),
      { workspace },
    ),
  )

const breakerOf = async (destination: string) => {
  const rows = await db.rows<{ state: string }>(
    'SELECT state FROM outbox.breaker_state WHERE destination = $1',
    [destination],
  )
  return rows[0]?.state
}

test('the intents of each workspace are delivered with its own keys; the environment may add one more workspace', async () => {
  const [a, b, own] = [await fakeOf('a'), await fakeOf('b', 'eu'), await fakeOf('own')]
  await Promise.all([writeKeys('a'), writeKeys('b')])
  await writeConfig({ a: workspaceOf('a', a), b: { ...workspaceOf('b', b), region: 'eu' } })
  await startRelay({
    CUSTOMERIO_APP_API_KEY: 'app-key-of-own',
    CUSTOMERIO_APP_URL: own.url,
    CUSTOMERIO_REGION: 'us',
  })
  const outbox = createOutbox()
  const sms = {
    operation: 'sendSMS' as const,
    message: { identifiers: { id: 'u1' }, transactional_message_id: 1 },
  }
  await enqueue('a', 'u1', 'u2')
  await enqueue('b', 'u3')
  await db.transaction(async (tx) => {
    await outbox.enqueue(tx, sms, { workspace: 'b' })
    await outbox.enqueue(tx, sms)
  })
  await a.until(() => a.counts.applied === 2)
  await b.until(() => b.counts.applied === 1 && b.counts.sends === 1)
  await own.until(() => own.counts.sends === 1)
  expect(a.person({ id: 'u3' })).toBeUndefined()
  expect(b.person({ id: 'u3' })).toBeDefined()
})

test('a wrong key pauses the destination; when its file is corrected, everything is delivered without a restart', async () => {
  const a = await fakeOf('a')
  await writeKeys('a', 'a-key-that-was-revoked')
  await writeConfig({ a: workspaceOf('a', a) })
  const relay = await startRelay()
  await relay.printed(/"workspace":"a","reason":"credential_refused".*workspace region not checked/)
  await enqueue('a', ...Array.from({ length: 200 }, (_, n) => `u${n}`))
  await eventually('the pause', async () => (await breakerOf('a/track')) === 'paused')

  const correctedAt = performance.now()
  await writeKeys('a')
  await relay.printed(/"destinations":\["a\/track","a\/app","a\/broadcast"\],"message":"settings changed"/)
  await a.until(() => a.counts.applied === 200, { timeoutMs: 20_000 })
  expect(performance.now() - correctedAt).toBeLessThan(20_000)
  await eventually('an empty queue', async () => (await db.rows('SELECT 1 FROM outbox.intents')).length === 0)
  expect(await db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
  expect(relay.stdout).not.toMatch(/a-key-that-was-revoked|key-of-a/)

  // The relay applies nothing from a truncated file.
  const b = await fakeOf('b')
  await writeKeys('b')
  await writeFile(inFolder('relay.json'), '{"workspaces": {"a": ')
  await relay.printed(/expected JSON.*invalid settings ignored/)
  await enqueue('a', 'still')
  await a.until(() => a.person({ id: 'still' }) !== undefined)
  await enqueue('b', 'u1')
  await relay.printed(/"destination":"b\/track","message":"no credentials for queued intents"/)
  await writeConfig({ a: workspaceOf('a', a), b: workspaceOf('b', b) })
  await b.until(() => b.counts.applied === 1)

  // The relay does not apply a workspace of another region either.
  await writeConfig({ a: { ...workspaceOf('a', a), region: 'eu' }, b: workspaceOf('b', b) })
  await relay.printed(/the region of workspace a to be us.*invalid settings ignored/)
  await enqueue('a', 'again')
  await a.until(() => a.person({ id: 'again' }) !== undefined)
  expect(relay.stdout.match(/invalid settings ignored/g)).toHaveLength(2)
  relay.child.kill('SIGTERM')
  expect((await relay.ended()).status).toBe(0)
})
