import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { Transport, WireItem } from '../../src/customerio/transports/transport.ts'
import type { Intent } from '../../src/intent/intent.ts'
import { apiOf } from '../../src/intent/operations.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { jsonBytes } from '../../src/intent/size.ts'
import { accepted, candidate } from '../support/intent-arbitraries.ts'
import { startCaptureServer } from '../support/wire/capture-server.ts'
import { createTransport } from '../support/wire/transports.ts'

/** Customer.io publishes 32 KB per operation or call and 500 KB per batch. A KB is 1,000 bytes here, the stricter reading. */
const PUBLISHED = { item: 32_000, batch: 500_000 }

const server = await startCaptureServer()
const transports: Record<ReturnType<typeof apiOf>, Transport> = {
  track: createTransport('track', server.url),
  app: createTransport('app', server.url),
  broadcast: createTransport('broadcast', server.url),
  pipelines: createTransport('pipelines', server.url),
}

afterAll(async () => {
  await Promise.all(Object.values(transports).map((transport) => transport.close()))
  await server.close()
})

/** The bodies of the requests since the last call. */
const takeBodies = () => server.take().map(({ text }) => text)

function prepare(intent: Intent, id: string): WireItem {
  const payload = JSON.parse(JSON.stringify(toPayload(intent)))
  const { operation } = intent
  const row = { id, operation, payload, occurredAtSeconds: 1_700_000_000 }
  return transports[apiOf(operation)].prepare({ ...row, payloadBytes: jsonBytes(payload) })
}

test('an attachment is sent under any name, even that of a property of every object', async () => {
  const attachments = { valueOf: 'aGk=', constructor: 'aGk=', ['__proto__']: 'aGk=' }
  const message = { to: 'a@example.com', identifiers: { id: '1' }, transactional_message_id: 1, attachments }
  const intent = accepted({ operation: 'sendEmail', message })
  if (intent === undefined) throw new Error('it was not accepted')
  await transports.app.send([prepare(intent, '00000000-0000-7000-8000-000000000000')])
  expect(Object.keys(JSON.parse(takeBodies()[0] ?? '').attachments)).toEqual([
    'valueOf',
    'constructor',
    '__proto__',
  ])
})

describe('any accepted intent', () => {
  test('is sent in exactly the bytes that its item states, and in at most the limit of its API', async () => {
    let count = 0
    await fc.assert(
      fc.asyncProperty(candidate, fc.uuid({ version: 7 }), async (value, id) => {
        const intent = accepted(value)
        if (intent === undefined) return
        count++
        const transport = transports[apiOf(intent.operation)]
        const item = prepare(intent, id)
        await transport.send([item])
        const bodies = takeBodies()
        expect(bodies).toHaveLength(1)
        const body = bodies[0] ?? ''
        const envelope = body.startsWith('{"batch":[') ? Buffer.byteLength('{"batch":[]}') : 0
        expect(item.bytes).toBe(Buffer.byteLength(body) - envelope)
        expect(item.maxBytes).toBeGreaterThanOrEqual(item.bytes)
        expect(item.bytes).toBeLessThanOrEqual(transport.limits.itemBytes)
        expect(item.batchable && item.barrier).toBe(false)
      }),
      { numRuns: 500 },
    )
    expect(count).toBeGreaterThan(250)
  })

  test('has the same bytes on a second attempt', async () => {
    await fc.assert(
      fc.asyncProperty(candidate, fc.uuid({ version: 7 }), async (value, id) => {
        const intent = accepted(value)
        if (intent === undefined) return
        const transport = transports[apiOf(intent.operation)]
        await transport.send([prepare(intent, id)])
        await transport.send([prepare(intent, id)])
        const [first, second] = takeBodies()
        expect(second).toBe(first)
      }),
      { numRuns: 200 },
    )
  })
})

describe.each(['track', 'pipelines'] as const)('a batch of %s', (api) => {
  const transport = transports[api]

  test('that is cut by the limits of its transport is within the published limits, in any script', async () => {
    const words = fc.constantFrom('a', 'ø', '漢', '😀', '"', '\\', '\n', '\u007f')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(words, fc.integer({ min: 1, max: 4_000 })), { minLength: 1, maxLength: 60 }),
        async (texts) => {
          const items = texts.flatMap(([word, times], n) => {
            const data = { text: word.repeat(times) }
            const intent = accepted(
              api === 'track'
                ? { operation: 'track', customerId: n, name: 'x', data }
                : { operation: 'pipelines.track', message: { userId: n, event: 'x', properties: data } },
            )
            return intent ? [prepare(intent, '01890a5d-ac96-774b-bcce-b302099a8057')] : []
          })
          for (const batch of cut(items, transport)) {
            await transport.send(batch)
            const body = takeBodies()[0] ?? ''
            expect(Buffer.byteLength(body)).toBeLessThanOrEqual(PUBLISHED.batch)
            for (const one of JSON.parse(body).batch) {
              expect(Buffer.byteLength(JSON.stringify(one))).toBeLessThanOrEqual(PUBLISHED.item)
            }
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test('that is as large as its transport allows is within the published limits', async () => {
    const { limits } = transport
    expect(limits.itemBytes).toBeLessThanOrEqual(PUBLISHED.item)
    expect(limits.bytes + Buffer.byteLength('{"batch":[]}')).toBeLessThanOrEqual(PUBLISHED.batch)
  })
})

/** Cuts items into batches by the limits of the transport, in order. A comma is between two items. */
function cut(items: readonly WireItem[], { limits }: Transport): WireItem[][] {
  const batches: WireItem[][] = []
  let room = 0
  for (const item of items) {
    const batch = batches.at(-1)
    if (batch && item.bytes + 1 <= room && batch.length < limits.count) {
      batch.push(item)
      room -= item.bytes + 1
    } else {
      batches.push([item])
      room = limits.bytes - item.bytes
    }
  }
  return batches
}
