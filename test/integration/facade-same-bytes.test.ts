import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { createRelay, type Relay } from '../../src/relay.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { type CaptureServer, startCaptureServer } from '../support/wire/capture-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { GOLDENS } from '../support/wire/goldens.ts'

let db: TestDatabase
let server: CaptureServer
let relay: Relay
beforeAll(async () => {
  db = await createTestDatabase()
  server = await startCaptureServer()
  const { url } = server
  relay = createRelay({
    connectionString: db.url,
    customerio: {
      siteId: 'site',
      trackApiKey: 'key',
      appApiKey: 'key',
      pipelinesWriteKey: 'key',
      trackUrl: url,
      appUrl: url,
      pipelinesUrl: url,
      requestsPerSecond: { broadcast: 100 },
    },
    checkRegion: false,
  })
  await relay.start()
})
afterAll(async () => {
  await relay.stop()
  await server.close()
  await db.drop()
})

const CASES = GOLDENS.filter(({ options }) => options === undefined)

/** Waits until the queue is empty. Returns the bytes that were sent, without ids and times, which differ for each intent. */
async function sent(): Promise<string[]> {
  await eventually(
    'an empty queue',
    async () => (await db.rows('SELECT 1 FROM outbox.intents LIMIT 1')).length === 0,
  )
  return server
    .take()
    .map(({ method, path, text }) => `${method} ${path} ${text}`)
    .map((line) => line.replace(/"(id|messageId)":"[0-9A-Za-z-]{26,36}"/g, '"$1":"…"'))
    .map((line) => line.replace(/"timestamp":("[^"]*"|\d+)/g, '"timestamp":…'))
}

test.each(CASES.map((golden) => [golden.name, golden] as const))(
  '%s: the same bytes from TypeScript and from SQL',
  async (_, { operation, payload, path }) => {
    const intent = { operation, ...(payload as object) } as unknown as Intent
    await db.transaction((tx) => createOutbox().enqueue(tx, intent))
    const fromTypeScript = await sent()
    await db.rows('SELECT outbox.enqueue($1, $2)', [operation, JSON.stringify(payload)])
    const fromSql = await sent()
    expect(fromTypeScript).toEqual([expect.stringContaining(path)])
    expect(fromSql).toEqual(fromTypeScript)
    expect(await db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
  },
)

test('every operation has a case', () => {
  expect(new Set(CASES.map(({ operation }) => operation))).toEqual(new Set(OPERATIONS))
})
