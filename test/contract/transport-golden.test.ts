import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Transport } from '../../src/customerio/transports/transport.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { type CaptureServer, startCaptureServer } from '../support/wire/capture-server.ts'
import { GOLDENS, type Golden, INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { createTransport } from '../support/wire/transports.ts'

let server: CaptureServer
const transports: Transport[] = []

beforeAll(async () => {
  server = await startCaptureServer()
})

afterAll(async () => {
  await Promise.all(transports.map((transport) => transport.close()))
  await server.close()
})

function transportFor({ api, options }: Golden): Transport {
  const transport = createTransport(api, server.url, options)
  transports.push(transport)
  return transport
}

const rowOf = ({ operation, payload }: Golden) => ({
  id: INTENT_ID,
  operation,
  payload,
  occurredAtSeconds: OCCURRED_AT,
})

const CREDENTIALS: Record<Golden['api'], string> = {
  track: `Basic ${Buffer.from('site:track-key').toString('base64')}`,
  app: 'Bearer app-key',
  broadcast: 'Bearer app-key',
  pipelines: `Basic ${Buffer.from('write-key:').toString('base64')}`,
}

test('every operation has a golden', () => {
  expect(new Set(GOLDENS.map((golden) => golden.operation))).toEqual(new Set(OPERATIONS))
})

describe('golden: bytes on the wire', () => {
  test.each(GOLDENS)('$name', async (golden) => {
    const transport = transportFor(golden)
    const item = transport.prepare(rowOf(golden))
    const answer = await transport.send([item])
    const [request, ...others] = server.take()

    expect(answer).toEqual({ kind: 'accepted', status: 200, refused: [] })
    expect(others).toEqual([])
    expect(request).toMatchObject({ method: 'POST', path: golden.path, body: golden.body })
    expect(request?.body).toEqual(golden.body)
    expect(request?.headers).toMatchObject({
      authorization: CREDENTIALS[golden.api],
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(request?.text ?? '')),
    })
    expect(request?.headers['x-strict-mode']).toBe(golden.api === 'pipelines' ? '1' : undefined)
    expect(request?.headers['x-retry-count']).toBeUndefined()
  })

  test.each(GOLDENS)('$name: the size is exact, and a second call sends the same bytes', async (golden) => {
    const transport = transportFor(golden)
    const item = transport.prepare(rowOf(golden))
    await transport.send([item])
    const [first] = server.take()
    const envelope = golden.path.endsWith('/batch') ? Buffer.byteLength('{"batch":[]}') : 0
    expect(item.bytes).toBe(Buffer.byteLength(first?.text ?? '') - envelope)

    await transport.send([transport.prepare(rowOf(golden))])
    expect(server.take()[0]?.text).toBe(first?.text)
  })
})

describe('which items may share a request', () => {
  const prepared = (name: string) => {
    const golden = GOLDENS.find((one) => one.name === name) as Golden
    const { batchable, barrier } = transportFor(golden).prepare(rowOf(golden))
    return { batchable, barrier }
  }
  test.each(['identify', 'track', 'entity', 'trackAnonymous on v2', 'pipelines.identify', 'pipelines.track'])(
    '%s may share a request',
    (name) => expect(prepared(name)).toEqual({ batchable: true, barrier: false }),
  )
  test.each(['suppress', 'unsuppress', 'destroy', 'mergeCustomers', 'pipelines.alias'])(
    '%s is a barrier between earlier and later items',
    (name) => expect(prepared(name)).toEqual({ batchable: false, barrier: true }),
  )
  test.each(['trackAnonymous', 'trackPush', 'sendEmail', 'triggerBroadcast'])('%s is sent alone', (name) =>
    expect(prepared(name)).toEqual({ batchable: false, barrier: false }),
  )
  test('a Pipelines call with its own context or integrations is sent alone', () => {
    expect(prepared('pipelines.screen')).toEqual({ batchable: false, barrier: false })
    expect(prepared('pipelines.group')).toEqual({ batchable: false, barrier: false })
  })

  test.each(['track', 'pipelines'] as const)('a batch of %s contains its items in order', async (api) => {
    const [operation, fields]: [Golden['operation'], (n: number) => object] =
      api === 'track'
        ? ['track', (n) => ({ customerId: n, name: 'x' })]
        : ['pipelines.track', (n) => ({ message: { userId: n, event: 'x' } })]
    const transport = createTransport(api, server.url)
    transports.push(transport)
    const rows = [1, 2, 3].map((n) => ({
      id: INTENT_ID,
      operation,
      payload: fields(n),
      occurredAtSeconds: OCCURRED_AT,
    }))
    await transport.send(rows.map((row) => transport.prepare(row)))
    const [{ body } = { body: undefined }] = server.take()
    const { batch } = body as { batch: { userId?: string; identifiers?: { id: string } }[] }
    expect(batch.map((item) => item.userId ?? item.identifiers?.id)).toEqual(['1', '2', '3'])
  })
})

describe('rows that cannot be sent', () => {
  test.each([
    ['track', 'sendEmail', 'sendEmail: operation does not belong to the Track API'],
    ['app', 'track', 'track: operation does not belong to the App API'],
    ['broadcast', 'sendEmail', 'sendEmail: operation does not belong to the broadcast API'],
    ['pipelines', 'identify', 'identify: operation does not belong to the Pipelines API'],
  ] as const)("%s refuses another API's %s", (api, operation, message) => {
    const transport = createTransport(api, server.url)
    transports.push(transport)
    const row = { id: INTENT_ID, operation, payload: {}, occurredAtSeconds: OCCURRED_AT }
    expect(() => transport.prepare(row)).toThrow(expect.objectContaining({ code: 'INVALID_INTENT', message }))
  })

  test.each(GOLDENS)('$name without its payload is refused', (golden) => {
    const transport = transportFor(golden)
    expect(() => transport.prepare({ ...rowOf(golden), payload: {} })).toThrow(
      expect.objectContaining({ code: 'INVALID_INTENT' }),
    )
  })

  test('a null from jsonb_build_object counts as absent, in a message too', () => {
    const transport = createTransport('app', server.url)
    transports.push(transport)
    const message = { identifiers: { id: '42' }, transactional_message_id: 3, to: null, send_at: null }
    const payload = { message, other: null }
    const row = { id: INTENT_ID, operation: 'sendSMS', payload, occurredAtSeconds: OCCURRED_AT } as const
    expect(transport.prepare(row).bytes).toBeGreaterThan(0)
  })
})

test('the answer to an accepted message has its delivery id', async () => {
  const golden = GOLDENS.find((one) => one.operation === 'sendSMS') as Golden
  const transport = transportFor(golden)
  server.answer({ body: '{"delivery_id":"RPILAgUB","queued_at":1700000000}' })
  const answer = await transport.send([transport.prepare(rowOf(golden))])
  server.answer({})
  server.take()
  expect(answer).toEqual({ kind: 'accepted', status: 200, refused: [], deliveryId: 'RPILAgUB' })
})
