import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'

const ulid = '01HNZX8JGFACFA36RBXDHEQN6E'
const event = (id: string, rest: object = {}) => ({
  type: 'person',
  identifiers: { id },
  action: 'event',
  name: 'x',
  ...rest,
})

async function batch(
  fake: FakeCustomerIo,
  operations: object[],
  authorization = `Basic ${btoa('site:key')}`,
) {
  const response = await fetch(`${fake.url}/api/v2/batch`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ batch: operations }),
  })
  await response.arrayBuffer()
  return response.status
}

test('a fake without credentials accepts any Basic credentials and no other scheme', async () => {
  await using fake = await startFakeCustomerIo()
  expect(await batch(fake, [event('u1')], `Basic ${btoa('any:thing')}`)).toBe(200)
  for (const authorization of ['', 'Bearer abc', `Basic ${btoa('no colon')}`, 'Basic'])
    expect(await batch(fake, [event('u1')], authorization)).toBe(401)
  expect(fake.counts.applied).toBe(1)
  expect(fake.requests.byStatus).toEqual({ 200: 1, 401: 4 })
})

test('a request needs the current credentials, also after a rotation', async () => {
  await using fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: 'old:key' })
  const old = `Basic ${btoa('site:old:key')}`
  expect(await batch(fake, [event('u1')], old)).toBe(200)
  expect(await batch(fake, [event('u1')], `Basic ${btoa('other:old:key')}`)).toBe(401)
  fake.credentials = { siteId: 'site', apiKey: 'new' }
  expect(await batch(fake, [event('u1')], old)).toBe(401)
  expect(await batch(fake, [event('u1')], `Basic ${btoa('site:new')}`)).toBe(200)
})

test('close ends hanging, slow and idle connections at once', async () => {
  const fake = await startFakeCustomerIo({ latencyMs: 600_000 })
  fake.misbehave({ kind: 'hang', times: 1 })
  const hanging = expect(batch(fake, [event('u1')])).rejects.toThrow('fetch failed')
  await fake.until(() => fake.counts.requests === 1)
  const slow = expect(batch(fake, [event('u1')])).rejects.toThrow('fetch failed')
  await fake.until(() => fake.counts.requests === 2)
  fake.latencyMs = 0
  expect(await batch(fake, [event('u1')])).toBe(200)
  await fake.close()
  await fake.close()
  await hanging
  await slow
  await expect(batch(fake, [event('u1')])).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
})

test('the fake listens on the given port, and does not start if the port is in use', async () => {
  await using fake = await startFakeCustomerIo()
  const port = Number(new URL(fake.url).port)
  await expect(startFakeCustomerIo({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await fake.close()
  await using again = await startFakeCustomerIo({ port })
  expect(again.url).toBe(fake.url)
})

test('an option out of range throws', async () => {
  await expect(startFakeCustomerIo({ port: 70_000 })).rejects.toThrow('Expected port to be')
  await expect(startFakeCustomerIo({ latencyMs: -1 })).rejects.toThrow('Expected latencyMs to be')
  await expect(startFakeCustomerIo({ keepRequests: 0.5 })).rejects.toThrow('Expected keepRequests to be')
  await using fake = await startFakeCustomerIo()
  expect(() => {
    fake.latencyMs = Number.NaN
  }).toThrow('Expected latencyMs to be')
})

test('until resolves when a later request meets its condition, and rejects at its timeout, if the condition throws, and on close', async () => {
  await using fake = await startFakeCustomerIo()
  const two = fake.until(({ counts }) => counts.applied === 2)
  await batch(fake, [event('u1')])
  await batch(fake, [event('u1')])
  await two
  await expect(fake.until(() => false, { timeoutMs: 1 })).rejects.toThrow(/within 1 ms.*"applied":2/)
  let asked = 0
  const throwing = fake.until(() => {
    asked += 1
    if (asked === 2) throw new Error('no')
    return false
  })
  const thrown = expect(throwing).rejects.toThrow('no')
  await batch(fake, [event('u1')])
  await thrown
  const closed = expect(fake.until(() => false)).rejects.toThrow('closed')
  await fake.close()
  await closed
})

test('reset clears the received operations, the ULIDs and the misbehaviours', async () => {
  await using fake = await startFakeCustomerIo()
  await batch(fake, [event('u1', { id: ulid })])
  fake.misbehave({ kind: 'outage' })
  fake.reset()
  expect(fake.person({ id: 'u1' })).toBeUndefined()
  expect(fake.counts).toEqual({
    requests: 0,
    operations: 0,
    applied: 0,
    duplicates: 0,
    ignored: 0,
    refused: 0,
    outOfOrder: 0,
    sends: 0,
    broadcasts: 0,
    pipelines: 0,
    dropped: 0,
  })
  expect(await batch(fake, [event('u1', { id: ulid })])).toBe(200)
  expect(fake.applied.map(({ ordinal, requestOrdinal }) => [ordinal, requestOrdinal])).toEqual([[1, 1]])
})

test('requests.recent keeps the newest requests', async () => {
  await using fake = await startFakeCustomerIo({ keepRequests: 3 })
  const paths = Array.from({ length: 120 }, (_, i) => `/nothing/${i}`)
  for (const path of paths) await (await fetch(`${fake.url}${path}?query`)).arrayBuffer()
  expect(fake.requests.total).toBe(120)
  expect(fake.requests.recent.map(({ path }) => path)).toEqual(paths.slice(-3))
  await using none = await startFakeCustomerIo({ keepRequests: 0 })
  await batch(none, [event('u1')])
  expect(none.requests).toMatchObject({ total: 1, recent: [] })
})

test('without keepOperations the counts, the deduplication and the order check still work', async () => {
  await using fake = await startFakeCustomerIo({
    keepOperations: false,
    sequenceOf: ({ attributes }) => (typeof attributes?.seq === 'number' ? attributes.seq : undefined),
  })
  const numbered = (id: string, seq: number) => event(id, { attributes: { seq } })
  await batch(fake, [event('u1', { id: ulid }), numbered('u1', 1), numbered('u1', 3), numbered('u2', 2)])
  await batch(fake, [event('u1', { id: ulid }), numbered('u1', 2), numbered('u1', 1), numbered('u1', 4)])
  await batch(fake, [{ type: 'person', identifiers: { id: 'u3' }, action: 'suppress' }, event('u3')])
  expect(fake.counts).toMatchObject({ operations: 10, applied: 8, duplicates: 1, ignored: 1, outOfOrder: 1 })
  // Sequence 2 arrived after 3. Sequence 1 arrived twice, which is no violation.
  expect(fake.outOfOrder).toEqual([{ personKey: 'id:u1', ordinal: 5, sequence: 2, after: 3 }])
  expect([fake.applied, fake.duplicates, fake.ignored]).toEqual([[], [], []])
  expect(fake.person({ id: 'u1' })).toMatchObject({
    operationCount: 6,
    lastOrdinal: 7,
    events: [],
    operations: [],
  })
})

test('a script of a few lines can run the fake in a process of its own', async () => {
  const index = fileURLToPath(new URL('../../src/testing/index.ts', import.meta.url))
  const script = `
    import { startFakeCustomerIo } from ${JSON.stringify(index)}
    const fake = await startFakeCustomerIo()
    const answer = await fetch(fake.url + '/api/v1/accounts/region', { headers: { authorization: 'Basic YTpi' } })
    console.log(answer.status, (await answer.json()).region)
    await fake.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  expect(stdout.trim()).toBe('200 us')
})
