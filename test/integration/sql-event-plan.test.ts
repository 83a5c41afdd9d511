import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox, intents } from '../../src/index.ts'
import { InvalidOptionError } from '../../src/intent/errors.ts'
import { migrate, migrationScript } from '../../src/relay.ts'
import { REPOSITORY } from '../readme/blocks.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createLoginRole } from '../support/login-role.ts'

const events = {
  order_placed: z.object({ total: z.number(), sku: z.string(), coupon: z.string().optional() }),
  "it's \\ signed_up": z.object({ source: z.string().optional() }),
}
const DATA = { total: 1, sku: null }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterEach(async () => {
  await migrate({ connectionString: db.url, events: null })
  await db.pool.query('TRUNCATE outbox.intents')
})
afterAll(() => db.drop())

const install = (strict = true) => migrate({ connectionString: db.url, events, strict })
const enqueue = (operation: string, payload: object, on: pg.Pool | pg.ClientBase = db.pool) =>
  on.query('SELECT * FROM outbox.enqueue($1, $2)', [operation, JSON.stringify(payload)])
const enqueueMany = (operation: string, payload: object) =>
  db.pool.query('SELECT * FROM outbox.enqueue_many($1)', [JSON.stringify([{ operation, payload }])])
const stored = () => db.rows<{ operation: string }>('SELECT operation FROM outbox.intents ORDER BY seq')

const track = (fields: object) => ['track', { customerId: 'u', ...fields }] as const
const pipelines = (fields: object) => ['pipelines.track', { message: { userId: 'u', ...fields } }] as const
const entity = (fields: object) =>
  ['entity', { entity: { type: 'person', action: 'event', identifiers: { id: 'u' }, ...fields } }] as const

describe('a strict plan', () => {
  test.each<[string, readonly [string, object], string]>([
    [
      'a name that it does not have',
      track({ name: 'secret-value' }),
      'track: name is not in the tracking plan',
    ],
    ['no name', track({}), 'track: name is not in the tracking plan'],
    [
      'no data',
      track({ name: 'order_placed' }),
      'track: data.total is missing, and the tracking plan requires it',
    ],
    [
      'a missing field',
      track({ name: 'order_placed', data: { total: 1 } }),
      'track: data.sku is missing, and the tracking plan requires it',
    ],
    [
      'data that is no object',
      track({ name: 'order_placed', data: 'secret-value' }),
      'track: data must be an object, got string',
    ],
    ['data of null', track({ name: 'order_placed', data: null }), 'track: data must be an object, got null'],
    [
      'an anonymous event',
      ['trackAnonymous', { anonymousId: 'a', name: 'order_placed' }],
      'trackAnonymous: data.total is missing, and the tracking plan requires it',
    ],
    [
      'a name of Pipelines',
      pipelines({ event: 'secret-value' }),
      'pipelines.track: message.event is not in the tracking plan',
    ],
    [
      'properties of Pipelines',
      pipelines({ event: 'order_placed', properties: { total: 1 } }),
      'pipelines.track: message.properties.sku is missing, and the tracking plan requires it',
    ],
    [
      'a name of an entity',
      entity({ name: 'secret-value' }),
      'entity: entity.name is not in the tracking plan',
    ],
    [
      'attributes of an entity',
      entity({ name: 'order_placed' }),
      'entity: entity.attributes.total is missing, and the tracking plan requires it',
    ],
  ])('refuses %s', async (_, given, message) => {
    await install()
    const refusal = { message: `outbox: ${message}`, code: '22023' }
    await expect(enqueue(...given)).rejects.toMatchObject(refusal)
    await expect(enqueueMany(...given)).rejects.toMatchObject(refusal)
    expect(await stored()).toEqual([])
  })

  test('lets pass what it has, and every intent that is no event', async () => {
    await install()
    const given: (readonly [string, object])[] = [
      track({ name: 'order_placed', data: DATA }),
      track({ name: "it's \\ signed_up" }),
      ['trackAnonymous', { anonymousId: 'a', name: 'order_placed', data: { ...DATA, more: 1 } }] as const,
      pipelines({ event: 'order_placed', properties: DATA }),
      entity({ name: 'order_placed', attributes: DATA }),
      entity({ action: 'page', name: 'x' }),
      ['identify', { customerId: 'u' }] as const,
      ['trackPageView', { customerId: 'u', path: '/x' }] as const,
      ['trackScreen', { customerId: 'u', name: 'x' }] as const,
    ]
    for (const each of given) {
      await enqueue(...each)
      await enqueueMany(...each)
    }
    expect(await stored()).toHaveLength(2 * given.length)
  })

  test('keeps the errors for what is no intent', async () => {
    await install()
    await expect(enqueue('trakc', {})).rejects.toThrow("unknown operation 'trakc'")
    await expect(db.pool.query("SELECT outbox.enqueue('track', NULL)")).rejects.toThrow(
      'must be a JSON object, got NULL',
    )
    await expect(db.pool.query("SELECT outbox.enqueue('track', '5')")).rejects.toThrow(
      'must be a JSON object, got number',
    )
    await expect(
      enqueueMany(...track({ name: 'order_placed', data: DATA, customerId: null })),
    ).rejects.toThrow('names no person')
  })

  test('holds open sessions and the app role to it, and lets them go', async () => {
    const role = await createLoginRole(db, 'outbox_enqueue')
    const client = new pg.Client({ connectionString: role.url })
    await client.connect()
    try {
      await enqueue(...track({ name: 'other' }), client)
      await install()
      await expect(enqueue(...track({ name: 'other' }), client)).rejects.toThrow('not in the tracking plan')
      await enqueue(...track({ name: 'order_placed', data: DATA }), client)
      await expect(client.query('SELECT FROM outbox.event_plan')).rejects.toThrow('permission denied')
      await expect(client.query("SELECT outbox.install_event_plan('{}', true)")).rejects.toThrow(
        'permission denied',
      )
      await migrate({ connectionString: db.url, events: null })
      await enqueue(...track({ name: 'other' }), client)
    } finally {
      await client.end()
      await role.drop()
    }
  })

  test('is for SQL callers: a TypeScript outbox has a plan of its own, or none', async () => {
    await install()
    const outbox = createOutbox()
    await db.transaction(async (tx) => {
      await outbox.enqueue(tx, intents.track('u', 'other'))
      await outbox.enqueue(tx, intents.trackAnonymous('a', 'other'))
      await outbox.enqueue(tx, [
        intents.pipelines.track({ userId: 'u', event: 'other' }),
        intents.track('u', 'other'),
      ])
    })
    expect(await stored()).toHaveLength(4)
  })
})

test('a plan that is not strict warns of other names, and checks its own', async () => {
  await install(false)
  const client = await db.pool.connect()
  const notices: (string | undefined)[] = []
  client.on('notice', ({ severity, message }) => notices.push(`${severity}: ${message}`))
  try {
    await enqueue(...track({ name: 'secret-value' }), client)
    await expect(enqueue(...track({ name: 'order_placed' }), client)).rejects.toThrow('data.total is missing')
  } finally {
    client.release(true)
  }
  expect(notices).toEqual(['WARNING: outbox: track: name is not in the tracking plan'])
  expect(await stored()).toHaveLength(1)
})

describe('migrate', () => {
  test('says what it did, and without events keeps the plan', async () => {
    expect((await install()).plan).toBe('installed')
    expect((await install()).plan).toBe('unchanged')
    expect((await install(false)).plan).toBe('installed')
    expect(await migrate({ connectionString: db.url })).not.toHaveProperty('plan')
    expect(await db.rows('SELECT name, required FROM outbox.event_plan ORDER BY name')).toEqual([
      { name: "it's \\ signed_up", required: [] },
      { name: 'order_placed', required: ['total', 'sku'] },
    ])
    expect((await migrate({ connectionString: db.url, events: null })).plan).toBe('removed')
    expect((await migrate({ connectionString: db.url, events: null })).plan).toBe('unchanged')
    expect(await db.rows('SELECT FROM outbox.event_plan')).toEqual([])
  })

  test('writes the installation as a script, also for an empty database and another schema', async () => {
    const script = await migrationScript({ connectionString: db.url, events })
    expect(await db.rows('SELECT FROM outbox.event_plan')).toEqual([])
    await db.pool.query(script)
    expect(await migrationScript({ connectionString: db.url, events })).toBe('')
    await expect(enqueue(...track({ name: 'x' }))).rejects.toThrow('not in the tracking plan')

    const empty = await createTestDatabase('empty')
    try {
      const other = { connectionString: empty.url, schema: 'post', events, strict: false }
      await empty.pool.query(await migrationScript(other))
      expect(await migrationScript(other)).toBe('')
      const event = `'{"customerId": "u", "name": "order_placed"}'`
      await expect(empty.pool.query(`SELECT post.enqueue('track', ${event})`)).rejects.toThrow(
        'data.total is missing',
      )
    } finally {
      await empty.drop()
    }
  })

  test.each<[string, object]>([
    ['no plan', { events: { a: 5 } }],
    ['strict alone', { strict: true }],
    ['a wrong strict', { events, strict: 'yes' }],
  ])('refuses %s before it connects', async (_, options) => {
    const unreachable = { connectionString: 'postgres://127.0.0.1:1/x', ...options }
    await expect(migrate(unreachable as never)).rejects.toBeInstanceOf(InvalidOptionError)
    await expect(migrationScript(unreachable as never)).rejects.toBeInstanceOf(InvalidOptionError)
  })
})

describe('the command line', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-plan-'))
    const library = (name: string) => JSON.stringify(path.join(REPOSITORY, 'node_modules', name))
    await writeFile(
      path.join(folder, 'plan.ts'),
      `import { type } from ${library('arktype/out/index.js')}
       import { toStandardJsonSchema } from ${library('@valibot/to-json-schema/dist/index.mjs')}
       import * as v from ${library('valibot/dist/index.mjs')}
       import { z } from ${library('zod/index.js')}
       interface Erased { readonly a: string }
       export const events = {
         zod: z.object({ total: z.number(), currency: z.string().default('EUR'), at: z.date().optional() }),
         valibot: toStandardJsonSchema(v.object({ total: v.number(), at: v.optional(v.date()) })),
         valibot_alone: v.object({ total: v.number() }),
         arktype: type({ total: 'number', 'coupon?': 'string' }),
         either: z.union([z.object({ a: z.string(), b: z.string() }), z.object({ a: z.number(), c: z.string() })]),
         both: z.object({ a: z.string() }).and(z.object({ b: z.string().optional() })),
         none: z.object({}),
       }`,
    )
    await writeFile(path.join(folder, 'empty.mjs'), 'export const x = 1')
    await writeFile(path.join(folder, 'wrong.mjs'), 'export default { a: 1 }')
    await writeFile(path.join(folder, 'broken.mjs'), 'expo rt')
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('prints the plan', async () => {
    const { status, stdout, stderr } = await runCli(['events', path.join(folder, 'plan.ts'), '--json'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const printed = JSON.parse(stdout).events.map((event: Record<string, unknown>) => [
      event.name,
      event.required,
      event.optional,
    ])
    expect(printed).toEqual([
      ['zod', ['total'], ['currency', 'at']],
      ['valibot', ['total'], ['at']],
      ['valibot_alone', null, null],
      ['arktype', ['total'], ['coupon']],
      ['either', ['a'], ['b', 'c']],
      ['both', ['a'], ['b']],
      ['none', [], []],
    ])
    expect(JSON.parse(stdout).events[0].jsonSchema).toMatchObject({
      properties: { total: { type: 'number' } },
    })
    const { stdout: text } = await runCli(['events', path.join(folder, 'plan.ts')])
    expect(text).toMatch(/event +required +optional\n +zod +total +currency, at\n/)
    expect(text).toMatch(/valibot_alone +unknown +unknown\n/)
  })

  test.each([
    ['nope.ts', /nope\.ts: expected a module with a tracking plan, got no file/],
    ['empty.mjs', /empty\.mjs: expected the module to export the plan as events, or as default, got x/],
    ['wrong.mjs', /wrong\.mjs: Expected events\["a"\] to be a schema with Standard Schema v1/],
    ['broken.mjs', /broken\.mjs: cannot load the module: /],
  ])('refuses %s with one line and exit status 2', async (file, line) => {
    const { status, stdout, stderr } = await runCli(['events', path.join(folder, file)])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(line)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('installs, reports and removes the plan', async () => {
    const env = { DATABASE_URL: db.url }
    const plan = path.join(folder, 'plan.ts')
    const strict = await runCli(['migrate', '--events', plan], env)
    expect(strict.stdout).toContain('the tracking plan of SQL callers was installed\n')
    await expect(enqueue(...track({ name: 'valibot_alone' }))).resolves.toBeDefined()
    await expect(enqueue(...track({ name: 'valibot' }))).rejects.toThrow('data.total is missing')
    await expect(enqueue(...track({ name: 'other' }))).rejects.toThrow('not in the tracking plan')
    expect((await runCli(['migrate', '--sql', '--events', plan], env)).stdout).toBe('-- nothing to do\n')
    await runCli(['migrate', '--events', plan, '--no-strict'], env)
    await expect(enqueue(...track({ name: 'other' }))).resolves.toBeDefined()
    const removed = await runCli(['migrate', '--no-events', '--json'], env)
    expect(JSON.parse(removed.stdout)).toMatchObject({ plan: 'removed' })
    await expect(enqueue(...track({ name: 'valibot' }))).resolves.toBeDefined()
    const alone = await runCli(['migrate', '--no-strict'], env)
    expect(alone).toMatchObject({
      status: 2,
      stderr: 'customerio-outbox: Expected --no-strict to be given with --events <file>\n',
    })
  })
})
