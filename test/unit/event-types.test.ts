import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  createOutbox,
  type EventInput,
  type EventPlan,
  type Intent,
  intents,
  type Outbox,
  type StoredResult,
} from '../../src/index.ts'
import { REPOSITORY } from '../readme/blocks.ts'

interface Order {
  total: number
  currency?: string
}
interface Profile {
  plan: string | null
  seats: readonly { name: string; address: { city?: string } }[]
}
declare const order: Order
declare const profile: Profile
declare const tx: { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> }
/** Only compiled, never called. */
const compiled = (..._calls: (() => unknown)[]) => {}

const withZod = {
  order_placed: z.object({ total: z.number(), currency: z.string().default('EUR') }),
  signed_up: z.object({ source: z.string().optional() }),
}
const withValibot = {
  order_placed: v.object({ total: v.number(), currency: v.optional(v.string(), 'EUR') }),
  signed_up: v.object({ source: v.optional(v.string()) }),
}
const withArktype = {
  order_placed: type({ total: 'number', 'currency?': 'string' }),
  signed_up: type({ 'source?': 'string' }),
}

describe('a plan', () => {
  test('is made of schemas of zod, valibot and arktype', () => {
    expectTypeOf(withZod).toExtend<EventPlan>()
    expectTypeOf(withValibot).toExtend<EventPlan>()
    expectTypeOf(withArktype).toExtend<EventPlan>()
    expectTypeOf<Order>().toExtend<EventInput<typeof withZod.order_placed>>()
    expectTypeOf<Order>().toExtend<EventInput<typeof withValibot.order_placed>>()
    expectTypeOf<Order>().toExtend<EventInput<typeof withArktype.order_placed>>()
  })

  test('types the names and the data', () => {
    type Given = Parameters<Outbox<typeof withZod>['enqueue']>[1]
    expectTypeOf<Extract<Given, { operation: 'track' }>['name']>().toEqualTypeOf<
      'order_placed' | 'signed_up'
    >()
    const outbox = {} as Outbox<typeof withZod>
    const valibot = {} as Outbox<typeof withValibot>
    const arktype = {} as Outbox<typeof withArktype>
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 1 } }),
      () => valibot.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 1 } }),
      () => arktype.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 1 } }),
      () => outbox.enqueue(tx, { operation: 'trackAnonymous', anonymousId: 'a', name: 'order_placed', data: order }),
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'signed_up' }),
      () => outbox.enqueue(tx, { operation: 'pipelines.track', message: { userId: 1, event: 'order_placed', properties: order }}),
      () => outbox.enqueue(tx, { operation: 'trackScreen', customerId: 1, name: 'Any', data: profile }),
      () => outbox.enqueue(tx, { operation: 'identify', customerId: 1, attributes: profile }),
      // @ts-expect-error wrong data
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 'x' } }),
      // @ts-expect-error wrong data
      () => valibot.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 'x' }}),
      // @ts-expect-error wrong data
      () => arktype.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 'x' }}),
      // @ts-expect-error unknown field of data
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 1, x: 1 }}),
      // @ts-expect-error no data
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed' }),
      // @ts-expect-error unknown name
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_plcaed', data: { total: 1 } }),
      // @ts-expect-error unknown name
      () => outbox.enqueue(tx, { operation: 'trackAnonymous', anonymousId: 'a', name: 'x' }),
      // @ts-expect-error wrong properties
      () => outbox.enqueue(tx, { operation: 'pipelines.track', message: { userId: 1, event: 'order_placed', properties: { total: 'x' } }}),
      // @ts-expect-error no properties
      () => outbox.enqueue(tx, { operation: 'pipelines.track', message: { userId: 1, event: 'order_placed' } }),
    )
  })

  test('types arrays and builders', () => {
    const outbox = {} as Outbox<typeof withZod>
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => expectTypeOf(outbox.enqueue(tx, [ { operation: 'track', customerId: 1, name: 'order_placed', data: order }, { operation: 'identify', customerId: 1, attributes: profile }, intents.track(1, 'signed_up'), intents.track(1, 'order_placed', order), intents.identify(1, profile)])).toEqualTypeOf<Promise<StoredResult[]>>(),
      () => outbox.enqueue(tx, [order].map((each) => intents.track(1, 'order_placed', each))),
      () => outbox.enqueue(tx, intents.pipelines.track({ userId: 1, event: 'order_placed', properties: { total: 1 } })),
      () => outbox.enqueue(tx, intents.trackAnonymous('a', 'order_placed', { total: 1 })),
      // @ts-expect-error wrong data
      () => outbox.enqueue(tx, [intents.track(1, 'order_placed', { total: 'x' })]),
      // @ts-expect-error unknown name
      () => outbox.enqueue(tx, [{ operation: 'track', customerId: 1, name: 'x' }]),
      // @ts-expect-error no data
      () => outbox.enqueue(tx, intents.track(1, 'order_placed')),
      // @ts-expect-error unknown name
      () => outbox.enqueue(tx, intents.track(1, 'x')),
      // @ts-expect-error wrong properties
      () => outbox.enqueue(tx, intents.pipelines.track({ userId: 1, event: 'order_placed', properties: { total: 'x' } })),
      // @ts-expect-error an intent of any name
      () => outbox.enqueue(tx, {} as Intent),
    )
  })

  test('keeps the literals of a builder, and takes read-only data', () => {
    const kinds = {
      shared: z.object({
        channel: z.enum(['web', 'app']),
        tags: z.array(z.string()),
        at: z.date().optional(),
      }),
      paid: z.discriminatedUnion('by', [
        z.object({ by: z.literal('card'), last4: z.string() }),
        z.object({ by: z.literal('cash') }),
      ]),
      any: z.object({ json: z.json(), counts: z.record(z.string(), z.number()) }),
    }
    const outbox = {} as Outbox<typeof kinds>
    const tags: readonly string[] = []
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => outbox.enqueue(tx, intents.track(1, 'shared', { channel: 'web', tags: ['a'] })),
      () => outbox.enqueue(tx, [intents.track(1, 'shared', { channel: 'app', tags }), intents.track(1, 'paid', { by: 'cash' })]),
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'shared', data: { channel: 'web', tags, at: new Date() } }),
      () => outbox.enqueue(tx, intents.track(1, 'any', { json: { a: [null, { b: 1 }] }, counts: { a: 1 } })),
      () => outbox.enqueue(tx, intents.pipelines.track({ userId: 1, event: 'shared', properties: { channel: 'web', tags: ['a'] } })),
      // @ts-expect-error a value that is not in the list
      () => outbox.enqueue(tx, intents.track(1, 'shared', { channel: 'tv', tags: ['a'] })),
      // @ts-expect-error a field of the other choice is missing
      () => outbox.enqueue(tx, intents.track(1, 'paid', { by: 'card' })),
    )
  })

  test("types the methods of customerio-node's clients", () => {
    const outbox = {} as Outbox<typeof withZod>
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => outbox.trackClient(tx).track('1', { name: 'order_placed', data: { total: 1 }, timestamp: 5 }),
      () => outbox.trackClient(tx).track('1', { name: 'signed_up' }),
      () => outbox.trackClient(tx).track('1', { type: 'page', name: '/pricing' }),
      () => outbox.trackClient(tx).trackAnonymous('1', { name: 'order_placed', data: order }),
      () => outbox.trackClient(tx).identify('1', { email: 'a@b' }),
      () => outbox.pipelinesClient(tx).track({ userId: 1, event: 'order_placed', properties: { total: 1 } }),
      // @ts-expect-error unknown name
      () => outbox.trackClient(tx).track('1', { name: 'x' }),
      // @ts-expect-error wrong data
      () => outbox.trackClient(tx).track('1', { name: 'order_placed', data: { total: 'x' } }),
      // @ts-expect-error no data
      () => outbox.trackClient(tx).trackAnonymous('1', { name: 'order_placed' }),
      // @ts-expect-error wrong properties
      () => outbox.pipelinesClient(tx).track({ userId: 1, event: 'order_placed', properties: {} }),
    )
  })

  test('that is not strict allows other names, and types the data of its own', () => {
    const outbox = {} as Outbox<typeof withZod, false>
    expectTypeOf(() => createOutbox({ events: withZod, strict: false })).returns.toEqualTypeOf<
      typeof outbox
    >()
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'other', data: order }),
      () => outbox.enqueue(tx, [intents.track(1, 'other', profile), intents.track(1, 'signed_up')]),
      () => outbox.trackClient(tx).track('1', { name: 'other', data: order }),
      () => outbox.pipelinesClient(tx).track({ userId: 1, event: 'other', properties: order }),
      // @ts-expect-error wrong data
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'order_placed', data: { total: 'x' } }),
      // @ts-expect-error wrong data
      () => outbox.enqueue(tx, intents.track(1, 'order_placed', { total: 'x' })),
      // @ts-expect-error wrong data
      () => outbox.trackClient(tx).track('1', { name: 'order_placed', data: { total: 'x' } }),
      // @ts-expect-error a Date
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'other', data: { at: new Date() } }),
    )
  })

  test('is no property of an outbox without one', () => {
    expectTypeOf(() => createOutbox()).returns.toEqualTypeOf<Outbox>()
    expectTypeOf(() => createOutbox({ schema: 'x' })).returns.toEqualTypeOf<Outbox>()
    expectTypeOf(() => createOutbox({ events: withZod })).returns.toEqualTypeOf<Outbox<typeof withZod>>()
  })
})

test('this file also compiles without exactOptionalPropertyTypes, as most apps do', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-types-'))
  try {
    const config = {
      extends: path.join(REPOSITORY, 'tsconfig.json'),
      compilerOptions: {
        exactOptionalPropertyTypes: false,
        typeRoots: [path.join(REPOSITORY, 'node_modules/@types')],
      },
      include: [import.meta.filename],
    }
    await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
    const compiler = path.join(REPOSITORY, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [
      compiler,
      '-p',
      folder,
      '--noEmit',
    ]).catch((failed: { stdout: string }) => failed)
    expect(stdout).toBe('')
  } finally {
    await rm(folder, { recursive: true })
  }
})

describe('an interface', () => {
  const outbox = {} as Outbox

  test('is accepted as data of every operation', () => {
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', data: order }),
      () => outbox.enqueue(tx, { operation: 'identify', customerId: 1, attributes: profile }),
      () => outbox.enqueue(tx, { operation: 'trackPageView', customerId: 1, path: '/', data: profile }),
      () => outbox.enqueue(tx, { operation: 'trackScreen', customerId: 1, name: 'x', data: profile }),
      () => outbox.enqueue(tx, { operation: 'trackAnonymous', anonymousId: 'a', name: 'x', data: profile }),
      () => outbox.enqueue(tx, { operation: 'addDevice', customerId: 1, deviceId: 'd', platform: 'ios', data: profile }),
      () => outbox.enqueue(tx, { operation: 'triggerBroadcast', broadcastId: 1, data: profile }),
      () => outbox.enqueue(tx, { operation: 'pipelines.identify', message: { userId: 1, traits: profile } }),
      () => outbox.enqueue(tx, { operation: 'pipelines.track', message: { userId: 1, event: 'x', properties: profile }}),
      () => outbox.enqueue(tx, { operation: 'sendSMS', message: { identifiers: { id: 1 }, transactional_message_id: 1, message_data: profile }}),
      () => outbox.enqueue(tx, [intents.identify(1, profile), intents.track(1, 'x', order)]),
      () => outbox.enqueue(tx, intents.trackPageView(1, '/', profile)),
      () => outbox.enqueue(tx, intents.trackScreen(1, 'x', profile)),
      () => outbox.enqueue(tx, intents.trackAnonymous('a', 'x', profile)),
      () => outbox.enqueue(tx, intents.addDevice(1, 'd', 'ios', profile)),
      () => outbox.enqueue(tx, intents.triggerBroadcast(1, profile)),
      () => outbox.enqueue(tx, intents.pipelines.group({ userId: 1, groupId: 'g', traits: profile })),
      () => outbox.enqueue(tx, [] as Intent[]),
      () => outbox.enqueue(tx, [] as readonly Intent[]),
      () => outbox.enqueue(tx, {} as Intent),
    )
  })

  test('with a value that JSON cannot hold is refused', () => {
    interface Dated {
      readonly at: Date
    }
    const dated = {} as Dated
    // biome-ignore format: @ts-expect-error is about the next line
    compiled(
      // @ts-expect-error a Date in an interface
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', data: dated }),
      // @ts-expect-error a Date in a literal
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', data: { at: new Date() } }),
      // @ts-expect-error a Date in an array
      () => outbox.enqueue(tx, [{ operation: 'identify', customerId: 1, attributes: { a: [dated] } }]),
      // @ts-expect-error a function
      () => outbox.enqueue(tx, intents.track(1, 'x', { f: () => 1 })),
      // @ts-expect-error a bigint
      () => outbox.enqueue(tx, intents.identify(1, { n: 1n })),
      // @ts-expect-error a Map
      () => intents.track(1, 'x', new Map()),
      // @ts-expect-error an array
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', data: [1] }),
      // @ts-expect-error a string
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', data: 'x' }),
      // @ts-expect-error an unknown field of the intent
      () => outbox.enqueue(tx, { operation: 'track', customerId: 1, name: 'x', dat: { a: 1 } }),
      // @ts-expect-error an unknown field of an intent in an array
      () => outbox.enqueue(tx, [{ operation: 'track', customerId: 1, name: 'x', dat: { a: 1 } }]),
    )
  })
})
