import { TrackClient } from 'customerio-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WireText } from '../../src/intent/wire-text.ts'
import type { Transport } from '../../src/customerio/transports/transport.ts'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import { type Captured, type CaptureServer, startCaptureServer } from '../support/wire/capture-server.ts'
import { INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { createTransport } from '../support/wire/transports.ts'

let server: CaptureServer
let transport: Transport
beforeAll(async () => {
  server = await startCaptureServer()
  transport = createTransport('track', server.url)
})
afterAll(async () => {
  await transport.close()
  await server.close()
})

const IDENTIFY = `{"timestamp":7,"type":"person","action":"identify","identifiers":{"id":"u"},"attributes":{"a":1}}`
const eventText = (n: number) =>
  `{"id":"00000000000000000000000000","timestamp":7,"type":"person","action":"event","identifiers":{"id":"u"},"name":"é${n}"}`

/** Texts as neighbours in one buffer, as the relay reads them. */
function neighbours(...texts: readonly string[]): WireText[] {
  const buffer = Buffer.from(texts.join(','))
  let start = 0
  return texts.map((text) => {
    const end = start + Buffer.byteLength(text)
    const piece = { buffer, start, end }
    start = end + 1
    return piece
  })
}

const prepareText = (text: WireText, from = transport) => from.prepareText?.(INTENT_ID, text)
const batchOf = (request: Captured | undefined) =>
  (request?.body as { readonly batch?: Record<string, unknown>[] } | undefined)?.batch ?? []
const items = (texts: readonly WireText[]) => texts.flatMap((text) => prepareText(text) ?? [])

test('a batch of texts is sent as customerio-node sends the same operations: method, path, bytes, and the headers that it sets', async () => {
  const prepared = items(neighbours(eventText(1), IDENTIFY, eventText(2)))
  await transport.send(prepared)
  const [raw] = server.take()
  const batch = batchOf(raw)
  const client = new TrackClient('site', 'track-key', { url: `${server.url}/api/v1` })
  await client.batch(batch as never)
  const [other] = server.take()
  expect({ text: raw?.text, method: raw?.method, path: raw?.path }).toEqual({
    text: other?.text,
    method: other?.method,
    path: other?.path,
  })
  for (const name of ['authorization', 'content-type', 'content-length', 'user-agent', 'host']) {
    expect(raw?.headers[name], name).toBe(other?.headers[name])
  }
  expect(batch.map(({ id }) => id)).toEqual([toUlid(INTENT_ID), undefined, toUlid(INTENT_ID)])
  expect(prepared.map(({ bytes }) => bytes)).toEqual(
    batch.map((one) => Buffer.byteLength(JSON.stringify(one))),
  )
})

test('texts, whole or in parts, and converted operations are sent in order, with the same bytes on every attempt', async () => {
  const texts = items(neighbours(...[1, 2, 3, 4, 5].map(eventText)))
  const converted = transport.prepare({
    id: INTENT_ID,
    operation: 'track',
    payload: { customerId: 'u', name: 'é9' },
    occurredAtSeconds: OCCURRED_AT,
  })
  const batch = [...texts.slice(0, 2), converted, ...texts.slice(3), ...texts.slice(0, 1)]
  await transport.send(batch)
  await transport.send(batch)
  const [first, second] = server.take()
  expect(batchOf(first).map(({ name }) => name)).toEqual(['é1', 'é2', 'é9', 'é4', 'é5', 'é1'])
  expect(second?.text).toBe(first?.text)
})

test('without identifyTimestamp the text of an identify is sent without its timestamp, and an event with it', async () => {
  const bare = createTransport('track', server.url, { identifyTimestamp: false })
  const prepared = neighbours(IDENTIFY, eventText(1)).flatMap((text) => prepareText(text, bare) ?? [])
  await bare.send(prepared)
  await bare.close()
  const [request] = server.take()
  const batch = batchOf(request)
  expect(batch[0]).toEqual({
    type: 'person',
    action: 'identify',
    identifiers: { id: 'u' },
    attributes: { a: 1 },
  })
  expect(batch[1]).toMatchObject({ timestamp: 7 })
  expect(prepared.map(({ bytes }) => bytes)).toEqual(
    batch.map((one) => Buffer.byteLength(JSON.stringify(one))),
  )
})
