import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import type { FakeOperation } from '../../src/testing/index.ts'
import { everyApi, type Harness, startHarness } from '../support/relay-harness.ts'

const placeOf = ({ body }: FakeOperation) => (body?.properties as { n?: number } | undefined)?.n

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: placeOf })
})
afterEach(() => h.close())

const event = (userId: string, n: number): Intent => ({
  operation: 'pipelines.track',
  message: { userId, event: 'step', properties: { n } },
})

test('all six calls arrive once, each with its intent’s id and the time of the enqueue', async () => {
  const intents: Intent[] = [
    { operation: 'pipelines.identify', message: { userId: 'u1', traits: { plan: 'ß' } } },
    { operation: 'pipelines.track', message: { userId: 'u1', event: 'ordered', properties: { total: 1 } } },
    { operation: 'pipelines.page', message: { userId: 'u1', name: 'Home' } },
    { operation: 'pipelines.screen', message: { anonymousId: 'anon', name: 'Main' } },
    { operation: 'pipelines.group', message: { userId: 'u1', groupId: 'g1', traits: { size: 3 } } },
    { operation: 'pipelines.alias', message: { userId: 'u1', previousId: 'u0' } },
  ]
  const ids = await h.enqueue(...intents)
  await h.relay()
  await h.drained()
  const byId = new Map(h.fake.pipelines.map((message) => [message.messageId, message]))
  const rows = await h.db.rows<{ id: string; at: Date }>('SELECT id, enqueued_at AS at FROM outbox.delivered')
  for (const [index, id] of ids.entries()) {
    const { operation, message } = intents[index] as { operation: string; message: object }
    expect(byId.get(id)).toMatchObject({ type: operation.slice('pipelines.'.length), body: message })
    const written = rows.find((row) => row.id === id)?.at.getTime() ?? 0
    expect(Date.parse(byId.get(id)?.timestamp ?? '')).toBe(Math.floor(written / 1_000) * 1_000)
  }
  // Without strict mode the API would answer 200 and drop invalid items. The test of a 400 below shows that the mode is on.
  expect(h.fake.counts).toMatchObject({ pipelines: 6, dropped: 0, refused: 0, duplicates: 0 })
})

test('many calls share few requests, in order per person', async () => {
  await h.enqueue(...Array.from({ length: 2_000 }, (_, n) => event(`u${n % 50}`, n)))
  await h.relay()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ pipelines: 2_000, outOfOrder: 0, duplicates: 0 })
  expect(h.fake.requests.total).toBeLessThanOrEqual(16 * 2)
})

test('a batch that strict mode answers with 400 is halved until the culprit is found; nothing is dropped silently', async () => {
  h.fake.misbehave({ kind: 'refuse', operation: (op) => placeOf(op) === 37 })
  await h.enqueue(...Array.from({ length: 64 }, (_, i) => event('u1', i + 1)))
  await h.relay()
  await h.drained()
  expect(
    await h.db.rows(
      "SELECT reason, status, (payload #>> '{message,properties,n}')::int AS n FROM outbox.dead_letters",
    ),
  ).toEqual([{ reason: 'rejected', status: 400, n: 37 }])
  expect(h.fake.counts).toMatchObject({ pipelines: 63, dropped: 0, outOfOrder: 0, duplicates: 0 })
})

test('a refused write key loses nothing: the destination pauses, and resumes when the key is accepted', async () => {
  h.fake.credentials = { pipelinesWriteKey: 'another' }
  await h.enqueue(...Array.from({ length: 10 }, (_, n) => event('u1', n)))
  const relay = await h.relay()
  const paused = new Promise((resolve) => relay.on('breaker', ({ to }) => to === 'paused' && resolve(to)))
  await paused
  expect(h.fake.counts).toMatchObject({ pipelines: 0, dropped: 0 })
  h.fake.credentials = { pipelinesWriteKey: everyApi(h.fake).pipelinesWriteKey }
  await h.drained()
  expect(h.fake.counts).toMatchObject({ pipelines: 10, dropped: 0, outOfOrder: 0 })
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})

test.each([
  ['the connection is reset after the batch was applied', { kind: 'reset', after: 'apply' }],
  ['the answer is garbage', { kind: 'garbage' }],
] as const)(
  '%s: the batch is sent again with the same message ids and bodies, and applied once',
  async (_, misbehaviour) => {
    h.fake.misbehave({ ...misbehaviour, times: 1 })
    await h.enqueue(event('u1', 1), event('u1', 2), event('u1', 3))
    await h.relay()
    await h.drained()
    expect(h.fake.pipelines.map((message) => placeOf(message as never))).toEqual([1, 2, 3])
    expect(h.fake.pipelinesDuplicates).toHaveLength(3)
    expect(h.fake.pipelinesDuplicates.every(({ sameBody }) => sameBody)).toBe(true)
  },
)
