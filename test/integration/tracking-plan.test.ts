import { type } from 'arktype'
import { SendEmailRequest } from 'customerio-node'
import * as v from 'valibot'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createOutbox,
  type Intent,
  intents,
  InvalidIntentError,
  InvalidOptionError,
  NotATransactionError,
} from '../../src/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { recording } from '../support/recording-client.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
beforeEach(() => db.pool.query('TRUNCATE outbox.intents, outbox.dedup'))
afterAll(() => db.drop())

const asIntent = (intent: object) => intent as never

async function stored(): Promise<object[]> {
  const rows = await db.rows<{ operation: string; payload: object }>(
    `SELECT operation, outbox.payload_of(format, operation, payload, enqueued_at) AS payload
     FROM outbox.intents ORDER BY seq`,
  )
  return rows.map(({ operation, payload }) => ({ operation, ...payload }))
}

/** Enqueues what the plan refuses, and returns the error. No statement may run. */
async function refusal(outbox: ReturnType<typeof createOutbox>, given: unknown): Promise<InvalidIntentError> {
  return db.transaction(async (client) => {
    const tx = recording(client)
    const error = await outbox.enqueue(tx, given as never).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(InvalidIntentError)
    expect(tx.statements).toEqual([])
    return error as InvalidIntentError
  })
}

const text = { source: 'secret-value' }
const libraries = {
  zod: {
    order_placed: z.object({
      total: z.number(),
      currency: z.string().default('EUR'),
      items: z.array(z.object({ sku: z.string() })).optional(),
    }),
    signed_up: z.object({ source: z.enum(['web', 'app']).optional() }),
    code_used: z.object({ code: z.string().transform((code) => code.toUpperCase()) }),
    checked_later: z.object({ code: z.string().refine(async (code) => code !== 'secret-value') }),
  },
  valibot: {
    order_placed: v.object({
      total: v.number(),
      currency: v.optional(v.string(), 'EUR'),
      items: v.optional(v.array(v.object({ sku: v.string() }))),
    }),
    signed_up: v.object({ source: v.optional(v.picklist(['web', 'app'])) }),
    code_used: v.object({
      code: v.pipe(
        v.string(),
        v.transform((code) => code.toUpperCase()),
      ),
    }),
    checked_later: v.objectAsync({
      code: v.pipeAsync(
        v.string(),
        v.checkAsync(async (code) => code !== 'secret-value'),
      ),
    }),
  },
  arktype: {
    order_placed: type({
      total: 'number',
      currency: "string = 'EUR'",
      'items?': type({ sku: 'string' }).array(),
    }),
    signed_up: type({ 'source?': "'web' | 'app'" }),
    code_used: type({ code: type('string').pipe((code) => code.toUpperCase()) }),
    // arktype has no asynchronous types, so a schema of another library stands in the same plan.
    checked_later: z.object({ code: z.string().refine(async (code) => code !== 'secret-value') }),
  },
}

const answering = (answer: unknown) =>
  ({ '~standard': { version: 1, vendor: 'own', validate: () => answer } }) as never
const refused = { issues: [{ message: 'secret-value', path: [null] }] }

test.each([
  // biome-ignore lint/suspicious/noThenProperty: a thenable is the case
  ['a thenable with issues', { then: (resolve: (result: unknown) => void) => resolve(refused) }],
  ['issues with a path of null', refused],
  ['an object without value and issues', {}],
  ['a value that is undefined', { value: undefined }],
  ['a value that is a list', { value: [1] }],
  ['nothing', undefined],
])('a schema that answers with %s lets no event pass', async (_, answer) => {
  const outbox = createOutbox({ events: { order_placed: answering(answer) } }) as never as ReturnType<
    typeof createOutbox
  >
  await db.transaction(async (client) => {
    const tx = recording(client)
    const call = outbox.enqueue(tx, intents.track('u1', 'order_placed', { total: 1 }))
    await expect(call).rejects.toBeInstanceOf(InvalidIntentError)
    expect(tx.statements).toEqual([])
  })
})

describe.each(Object.entries(libraries))('a plan of %s', (_, events) => {
  const outbox = createOutbox({ events: events as (typeof libraries)['zod'] })
  const plain = outbox as unknown as ReturnType<typeof createOutbox>
  const track = { operation: 'track', customerId: 'u1' } as const

  test('stores what the schema returns, in every operation with an event', async () => {
    await db.transaction(async (tx) => {
      await outbox.enqueue(tx, { ...track, name: 'order_placed', data: { total: 1 } })
      await outbox.enqueue(tx, intents.track('u1', 'code_used', { code: 'spring' }))
      await outbox.enqueue(tx, intents.trackAnonymous('a1', 'order_placed', { total: 2 }))
      await outbox.enqueue(
        tx,
        intents.pipelines.track({ userId: 'u1', event: 'code_used', properties: { code: 'may' } }),
      )
      const event = { type: 'person', action: 'event', identifiers: { id: 'u1' }, name: 'order_placed' }
      await outbox.enqueue(tx, intents.entity({ ...event, attributes: { total: 3 } }))
      await outbox.enqueue(tx, intents.track('u1', 'signed_up'))
    })
    expect(await stored()).toEqual([
      { ...track, name: 'order_placed', data: { total: 1, currency: 'EUR' } },
      { ...track, name: 'code_used', data: { code: 'SPRING' } },
      {
        operation: 'trackAnonymous',
        anonymousId: 'a1',
        name: 'order_placed',
        data: { total: 2, currency: 'EUR' },
      },
      {
        operation: 'pipelines.track',
        message: { userId: 'u1', event: 'code_used', properties: { code: 'MAY' } },
      },
      {
        operation: 'entity',
        entity: {
          type: 'person',
          action: 'event',
          identifiers: { id: 'u1' },
          name: 'order_placed',
          attributes: { total: 3, currency: 'EUR' },
        },
      },
      { ...track, name: 'signed_up' },
    ])
  })

  test('leaves other operations, and views of pages and screens, as they are', async () => {
    const email = new SendEmailRequest({ to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 1 })
    await db.transaction(async (tx) => {
      await outbox.enqueue(tx, [
        intents.identify('u1', { plan: 'pro' }),
        intents.trackPageView('u1', '/order_placed', { total: 'x' }),
        intents.trackScreen('u1', 'order_placed', { total: 'x' }),
        intents.entity({ type: 'person', action: 'page', identifiers: { id: 'u1' }, name: 'x' }),
      ])
      await outbox.trackClient(tx).track('u1', { type: 'page', name: '/pricing' })
      await outbox.apiClient(tx).sendEmail(email)
    })
    expect(await stored()).toHaveLength(6)
  })

  test.each<[string, object, string]>([
    [
      'data of another type',
      { ...track, name: 'order_placed', data: { total: 'secret-value' } },
      'data.total',
    ],
    ['a missing field', { ...track, name: 'order_placed', data: text }, 'data.total'],
    ['no data', { ...track, name: 'order_placed' }, 'data.total'],
    ['data that is no object', { ...track, name: 'order_placed', data: 'secret-value' }, 'data'],
    ['another value of a list', { ...track, name: 'signed_up', data: text }, 'data.source'],
    [
      'a field of an element',
      { ...track, name: 'order_placed', data: { total: 1, items: [{ sku: 'a' }, { sku: 5 }] } },
      'data.items[1].sku',
    ],
    [
      'a value that an asynchronous schema refuses',
      { ...track, name: 'checked_later', data: { code: 'secret-value' } },
      'data.code',
    ],
    ['a name that the plan does not have', { ...track, name: 'secret-value' }, 'name'],
    ['a name of Object', { ...track, name: 'constructor' }, 'name'],
    [
      'anonymous data',
      { operation: 'trackAnonymous', anonymousId: 'a', name: 'signed_up', data: text },
      'data.source',
    ],
    [
      'properties',
      { operation: 'pipelines.track', message: { userId: 1, event: 'signed_up', properties: text } },
      'message.properties.source',
    ],
    [
      'an event of Pipelines',
      { operation: 'pipelines.track', message: { userId: 1, event: 'secret-value' } },
      'message.event',
    ],
    [
      'an event as entity',
      {
        operation: 'entity',
        entity: { type: 'person', action: 'event', identifiers: { id: 1 }, name: 'secret-value' },
      },
      'entity.name',
    ],
  ])('refuses %s before any SQL, and quotes no value', async (_name, given, field) => {
    const error = await refusal(plain, given)
    expect(error).toMatchObject({ field, operation: (given as Intent).operation })
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('secret-value')
    const inArray = await refusal(plain, [intents.identify('u1'), intents.track('u1', 'signed_up'), given])
    expect(inArray.field).toBe(`[2].${field}`)
    expect(await stored()).toEqual([])
  })

  test('awaits an asynchronous schema, and keeps the order of an array', async () => {
    await db.transaction((tx) =>
      outbox.enqueue(tx, [
        intents.track('u1', 'signed_up', { source: 'web' }),
        intents.track('u1', 'checked_later', { code: 'a' }),
        intents.identify('u1', { plan: 'pro' }),
      ]),
    )
    expect(await stored()).toEqual([
      { ...track, name: 'signed_up', data: { source: 'web' } },
      { ...track, name: 'checked_later', data: { code: 'a' } },
      { operation: 'identify', customerId: 'u1', attributes: { plan: 'pro' } },
    ])
  })

  test("holds customerio-node's methods to the plan", async () => {
    await db.transaction(async (tx) => {
      await outbox.trackClient(tx).track('u1', { name: 'order_placed', data: { total: 1 } })
      await outbox
        .trackClient(tx)
        .track('u1', { name: 'order_placed', data: { total: 2 }, id: '01HV9ZK9Q6Y7Z8X9W0V1T2S3R4' })
      await outbox
        .pipelinesClient(tx)
        .track({ userId: 'u1', event: 'code_used', properties: { code: 'may' } })
      const wrong = { name: 'order_placed', data: { total: 'secret-value' } } as never
      await expect(outbox.trackClient(tx).track('u1', wrong)).rejects.toMatchObject({ field: 'data.total' })
      await expect(outbox.trackClient(tx).trackAnonymous('a1', wrong)).rejects.toMatchObject({
        field: 'data.total',
      })
      const batch = [{ type: 'track' as const, userId: 'u1', event: 'order_placed' }]
      await expect(outbox.pipelinesClient(tx).batch(batch)).rejects.toMatchObject({
        field: '[0].message.properties.total',
      })
    })
    expect(await stored()).toMatchObject([
      { data: { total: 1, currency: 'EUR' } },
      { entity: { attributes: { total: 2, currency: 'EUR' } } },
      { message: { properties: { code: 'MAY' } } },
    ])
  })

  test("leaves out an event with onError: 'ignore'", async () => {
    const ignored: Error[] = []
    const ignoring = createOutbox({ events, onIgnored: (error) => ignored.push(error) })
    await db.transaction(async (tx) => {
      for (const name of ['order_placed', 'checked_later']) {
        const given = asIntent(intents.track('u1', name, { code: 'secret-value' }))
        const result = await ignoring.enqueue(tx, given, { onError: 'ignore' })
        expect(result).toEqual({ duplicate: false, error: ignored.at(-1) })
      }
      await ignoring.enqueue(tx, intents.identify('u1'), { onError: 'ignore' })
    })
    expect(ignored).toHaveLength(2)
    expect(await stored()).toMatchObject([{ operation: 'identify' }])
  })

  test("makes the key of dedup: 'content' from what is stored", async () => {
    await db.transaction(async (tx) => {
      const first = await outbox.enqueue(tx, intents.track('u1', 'code_used', { code: 'a' }), {
        dedup: 'content',
      })
      const again = await outbox.enqueue(tx, intents.track('u1', 'code_used', { code: 'A' }), {
        dedup: 'content',
      })
      expect(again).toEqual({ id: first.id, duplicate: true })
    })
  })

  test('that is not strict stores and reports other names, and checks its own', async () => {
    const reported: object[] = []
    const lenient = createOutbox({
      events: events as (typeof libraries)['zod'],
      strict: false,
      onUnknownEvent: (event) => reported.push(event),
    })
    await db.transaction(async (tx) => {
      await lenient.enqueue(tx, [intents.track('u1', 'other', { a: 1 }), intents.track('u1', 'signed_up')])
      const wrong = asIntent({ ...track, name: 'order_placed', data: {} })
      await expect(lenient.enqueue(tx, wrong)).rejects.toMatchObject({ field: 'data.total' })
    })
    expect(reported).toEqual([{ name: 'other', operation: 'track' }])
    expect(await stored()).toEqual([
      { ...track, name: 'other', data: { a: 1 } },
      { ...track, name: 'signed_up' },
    ])
  })
})

describe('a plan', () => {
  test('without onUnknownEvent warns once for each name, and quotes none', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const lenient = createOutbox({ events: libraries.zod, strict: false })
    await db.transaction(async (tx) => {
      for (const name of ['order_placedd', 'order_placedd', 'jane@example.com'])
        await lenient.enqueue(tx, intents.track('u1', name as 'other'))
    })
    process.off('warning', onWarning)
    const texts = warnings
      .filter(({ name }) => name === 'CustomerioOutboxWarning')
      .map(({ message }) => message)
    expect(texts).toEqual([
      expect.stringContaining('not in the tracking plan, did you mean order_placed?'),
      expect.not.stringContaining('jane'),
    ])
  })

  test('suggests a name that is close', async () => {
    const error = await refusal(
      createOutbox({ events: libraries.zod }) as never,
      intents.track('u1', 'order_place'),
    )
    expect(error.message).toBe(
      'track: name is not in the tracking plan: did you mean order_placed? Else add it to events',
    )
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('secret-value')
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret-value'))],
  ])('whose schema %s refuses the event, and passes no text of the error on', async (_, validate) => {
    const events = { order_placed: { '~standard': { version: 1, vendor: 'test', validate } } } as const
    const error = await refusal(createOutbox({ events }) as never, intents.track('u1', 'order_placed'))
    expect(error.field).toBe('data')
    expect(`${error.message}${error.cause}`).not.toContain('secret-value')
  })

  test('whose schema outlasts the transaction stores nothing', async () => {
    const client = await db.begin()
    try {
      const validate = async (value: unknown) => {
        await client.query('COMMIT')
        return { value }
      }
      const late = { order_placed: { '~standard': { version: 1, vendor: 'test', validate } } } as const
      const enqueued = createOutbox({ events: late }).enqueue(
        client,
        intents.track('u1', 'order_placed') as never,
      )
      await expect(enqueued).rejects.toBeInstanceOf(NotATransactionError)
    } finally {
      client.release()
    }
    expect(await stored()).toEqual([])
  })

  test('keeps the order of calls that are not awaited', async () => {
    const outbox = createOutbox({ events: libraries.zod })
    await db.transaction((tx) =>
      Promise.all([
        outbox.enqueue(tx, intents.track('u1', 'code_used', { code: 'a' })),
        outbox.enqueue(tx, intents.identify('u1', { plan: 'pro' })),
        outbox.enqueue(tx, intents.track('u1', 'signed_up')),
      ]),
    )
    expect((await stored()).map((intent) => ('name' in intent ? intent.name : 'identify'))).toEqual([
      'code_used',
      'identify',
      'signed_up',
    ])
  })

  test('refuses an output that JSON cannot hold', async () => {
    const events = { order_placed: z.object({ at: z.coerce.date() }) }
    const error = await refusal(
      createOutbox({ events }) as never,
      intents.track('u1', 'order_placed', { at: 5 }),
    )
    expect(error).toMatchObject({ field: 'data.at', message: expect.stringContaining('is a Date') })
  })

  test('takes input that JSON cannot hold, if the schema returns JSON', async () => {
    const outbox = createOutbox({
      events: { paid: z.object({ at: z.date().transform((at) => at.toISOString()) }) },
    })
    const at = new Date(0)
    await db.transaction((tx) =>
      outbox.enqueue(tx, { operation: 'track', customerId: 'u1', name: 'paid', data: { at } }),
    )
    expect(await stored()).toMatchObject([{ data: { at: at.toISOString() } }])
  })

  test.each<[string, object, string]>([
    [
      'no object',
      { events: 5 },
      'Expected events to be an object with a schema for each name of an event, got number',
    ],
    ['no event', { events: {} }, 'Expected events to have 1 to 10000 events, got 0'],
    ['no schema', { events: { a: {} } }, 'Expected events["a"] to be a schema with Standard Schema v1'],
    [
      'a long name',
      { events: { ['x'.repeat(101)]: z.object({}) } },
      'to have a name of 1 to 100 bytes (UTF-8), got 101',
    ],
    ['strict alone', { strict: true }, 'Expected strict to be given with events, got undefined'],
    [
      'a wrong strict',
      { events: libraries.zod, strict: 'report' },
      'Expected strict to be true or false, got string',
    ],
    [
      'a report that is never made',
      { events: libraries.zod, onUnknownEvent: () => {} },
      'Expected onUnknownEvent to be given with events and strict: false',
    ],
  ])('with %s is refused when the outbox is created', (_, options, message) => {
    expect(() => createOutbox(options as never)).toThrow(message)
    expect(() => createOutbox(options as never)).toThrow(InvalidOptionError)
  })
})
