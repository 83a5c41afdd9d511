import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfigFile } from '../../src/cli/settings/config-file.ts'
import { OPERATIONS } from '../../src/intent/operations.ts'
import { resolveDrainOptions } from '../../src/relay/options-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { at, type Block, blocksOf, DOCUMENTS, REPOSITORY, readDocument } from './blocks.ts'
import { Sandbox } from './sandbox.ts'

/** The pages for app developers and operators, without the commands of other programs, which have flags of their own. */
const forUsers = [
  'README.md',
  'docs/getting-started.md',
  'docs/enqueue.md',
  'docs/events.md',
  'docs/deploy.md',
  'docs/settings.md',
  'docs/operations.md',
  'docs/testing.md',
]
  .map(readDocument)
  .join('\n')
  .replaceAll(/^(docker|npm|RUN) .*$/gm, '')
  .replaceAll(/`docker [^`]*`/g, '')
const blocks = DOCUMENTS.flatMap(blocksOf)
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language))
const named = (chosen: readonly Block[]) => chosen.map((block) => [at(block), block] as const)

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  await db.pool.query(`
    CREATE TABLE orders (id text PRIMARY KEY, user_id text NOT NULL, total integer NOT NULL);
    CREATE TABLE users (id text PRIMARY KEY, email text NOT NULL);`)
})
afterAll(() => db.drop())

describe('TypeScript', () => {
  let sandbox: Sandbox
  const files = new Map<Block, string>()
  beforeAll(async () => {
    sandbox = await Sandbox.create()
    for (const block of of('ts')) files.set(block, await sandbox.add(block))
    await sandbox.addCaller(
      'call-place-order.ts',
      `import { placeOrder } from './place-order.ts'
await placeOrder({ id: '1', userId: 'u1', total: 42 })
process.exit(0)`,
    )
  })
  afterAll(() => sandbox[Symbol.asyncDispose]())

  test('every block compiles', async () => {
    expect(await sandbox.check()).toEqual({ status: 0, output: '' })
  })

  test('the first example stores the order and its intent, and nothing else', async () => {
    expect(await sandbox.run('call-place-order.ts', db.url)).toEqual({ status: 0, output: '' })
    const stored = await db.rows(
      `SELECT o.total, i.operation, outbox.payload_of(i.format, i.operation, i.payload, i.enqueued_at) AS payload,
              i.ordering_key, d.key
       FROM orders o, outbox.intents i JOIN outbox.dedup d ON d.intent_id = i.id`,
    )
    const payload = { customerId: 'u1', name: 'order_placed', data: { total: 42 } }
    expect(stored).toEqual([
      { total: 42, operation: 'track', payload, ordering_key: 'u1', key: 'order:1:placed' },
    ])
  })

  test.each(named(of('ts')))('%s runs, and prints what its comments say', async (_, block) => {
    await db.pool.query('TRUNCATE outbox.intents, outbox.dedup, orders')
    const { status, output } = await sandbox.run(files.get(block) ?? '', db.url)
    expect(status, output).toBe(0)
    const printed = [...block.code.matchAll(/console\.log\(.*\) \/\/ (.*)/g)].map(([, text]) => text)
    if (printed.length > 0) expect(output.trim().split('\n')).toEqual(printed)
    if (block.file === 'docs/libraries.md') {
      expect(await db.rows('SELECT operation FROM outbox.intents')).toEqual([{ operation: 'track' }])
    }
  })
})

describe('SQL', () => {
  test.each(named(of('sql')))('%s runs', async (_, block) => {
    await rolledBack(async (client) => {
      await expect(runSql(client, block)).resolves.toBeDefined()
    })
  })

  const samples = blocks.flatMap((block, index) => {
    const before = blocks[index - 1]
    return block.language === 'text' && before?.language === 'sql'
      ? [[at(block), before, block] as const]
      : []
  })
  test.each(samples)('%s shows the columns that the statement before it gives', async (_, sql, sample) => {
    await rolledBack(async (client) => {
      const fields = (await runSql(client, sql)).at(-1)?.fields.map(({ name }) => name)
      const heads = sample.code
        .split('\n')[0]
        ?.split('|')
        .map((head) => head.trim())
      expect(heads).toEqual(fields)
    })
  })

  /** Runs `work` in a transaction with the roles that the blocks name, and rolls it back. */
  async function rolledBack(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await db.begin()
    try {
      await client.query(`DO $$ BEGIN
        IF to_regrole('app') IS NULL THEN CREATE ROLE app; END IF;
        IF to_regrole('viewer') IS NULL THEN CREATE ROLE viewer; END IF;
      END $$`)
      await work(client)
    } finally {
      await client.query('ROLLBACK')
      client.release()
    }
  }

  async function runSql(client: pg.PoolClient, block: Block): Promise<pg.QueryResult[]> {
    try {
      const results: unknown = await client.query(block.code)
      return (Array.isArray(results) ? results : [results]) as pg.QueryResult[]
    } catch (error) {
      const { message, position } = error as pg.DatabaseError
      const inBlock = block.code.slice(0, Number(position ?? 1) - 1).split('\n').length - 1
      throw new Error(`${block.file}:${block.line + inBlock}: ${message}`)
    }
  }
})

test.each(named(of('json')))('%s is JSON', (_, block) => {
  expect(() => JSON.parse(block.code)).not.toThrow()
})

describe('deployment', () => {
  const arrays = [...blocks.filter(({ language }) => ['yaml', 'dockerfile'].includes(language))].flatMap(
    (block) =>
      [...block.code.matchAll(/(?:args: |CMD )\[([^\]]*)\]/g)].map(
        ([, list = '']) =>
          [at(block), list.split(',').map((each) => each.trim().replaceAll('"', ''))] as const,
      ),
  )
  test('has the commands of the image, the relay and the jobs', () => {
    expect(arrays.map(([, [command]]) => command)).toEqual(['relay', 'relay', 'drain', 'migrate'])
  })

  test.each(arrays)('%s: %j knows its flags', async (_, [command = '', ...rest]) => {
    const help = await cli(command, '--help')
    for (const flag of rest.filter((each) => each.startsWith('--'))) expect(help).toContain(flag)
  })

  test('the probes of the deployment are endpoints of the relay', async () => {
    const help = await cli('relay', '--help')
    const paths = of('yaml').flatMap(({ code }) =>
      [...code.matchAll(/path: (\S+?)[,\s]/g)].map(([, each]) => each),
    )
    expect(paths).toEqual(['/healthz', '/readyz'])
    for (const each of paths) expect(help).toContain(each)
  })

  test('the grace period of the platform is longer than that of the relay', async () => {
    const [, ours] =
      (await cli('relay', '--help')).match(/--shutdown-timeout <[^-]*?1-3600[^-]*?\(default: (\d+)\)/) ?? []
    const given = of('yaml').flatMap(({ code }) => [
      ...code.matchAll(/terminationGracePeriodSeconds: (\d+)/g),
    ])
    expect(given.length).toBeGreaterThan(0)
    for (const [, seconds] of given) expect(Number(seconds)).toBeGreaterThanOrEqual(Number(ours) + 5)
  })
})

const COMMANDS = [
  ...[
    'migrate',
    'relay',
    'status',
    'pause',
    'resume',
    'doctor',
    'events',
    'demo',
    'drain',
    'find',
    'replay',
    'erase',
  ],
  ...['actions', 'cancel', 'backfill', 'dead list', 'dead show', 'dead edit', 'dead redrive', 'dead discard'],
  ...['pending cancel', 'pending reschedule'],
]

describe('commands', () => {
  const lines = of('bash').flatMap((block) =>
    block.code.split('\n').map((text, index) => ({ file: block.file, line: block.line + index, text })),
  )
  const ours = lines.flatMap((line) =>
    [...line.text.matchAll(/(?:^|&& |npx )customerio-outbox ((?:dead |pending )?\w+)([^&|#]*)/g)].map(
      ([, command, flags]) =>
        [at(line), command ?? '', [...(flags ?? '').matchAll(/--[\w-]+/g)].map(String)] as const,
    ),
  )
  test.each(ours)('%s: customerio-outbox %s knows its flags', async (_, command, flags) => {
    const help = await cli(...command.split(' '), '--help')
    for (const flag of flags) expect(help).toContain(flag)
  })

  const scripts = lines.flatMap((line) =>
    [...line.text.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => [at(line), script ?? ''] as const),
  )
  test.each(scripts)('%s: npm run %s is a script', (_, script) => {
    expect(Object.keys(JSON.parse(readDocument('package.json')).scripts)).toContain(script)
  })

  test('every flag that the documents name is one of a command', async () => {
    const help = (await Promise.all(COMMANDS.map((command) => cli(...command.split(' '), '--help')))).join('')
    const flags = new Set([...forUsers.matchAll(/--[a-z][\w-]*/g)].map(String))
    expect([...flags].filter((flag) => !help.includes(flag) && flag !== '--help')).toEqual([])
  })

  test('every environment variable that the documents name is one of the settings', async () => {
    const help = await cli('--help')
    const variables = new Set(
      [...forUsers.matchAll(/\b(?:CUSTOMERIO|OUTBOX|LOG|DATABASE)_[A-Z_]+\b/g)].map(String),
    )
    expect([...variables].filter((variable) => !help.includes(variable))).toEqual([])
  })
})

describe('facts', () => {
  test('the defaults of a relay and of a drain are those of the tables', () => {
    const { relay, forMs } = resolveDrainOptions({
      connectionString: 'postgres://localhost/app',
      customerio: { siteId: 'site', trackApiKey: 'key' },
    })
    const rows = [...readDocument('docs/settings.md').matchAll(/^\| `([\w.]+)` +\| ([\d.]+) +\|/gm)].map(
      ([, name, value]) => [name, Number(value)],
    )
    const settings = Object.entries({ ...relay, forMs }).flatMap(([name, value]) =>
      typeof value === 'number'
        ? [[name, value]]
        : typeof value === 'object' && name !== 'workspaces'
          ? Object.entries(value).map(([part, each]) => [`${name}.${part}`, each])
          : [],
    )
    expect(new Map(rows as [string, number][])).toEqual(new Map(settings as [string, number][]))
  })

  test('the operations are those of the table', () => {
    const [table = ''] = readDocument('docs/enqueue.md').match(/^\| API .*\n(\|.*\n)+/m) ?? []
    expect([...table.matchAll(/`([\w.]+)`/g)].map(([, name]) => name)).toEqual(OPERATIONS)
  })

  test('the relay accepts the config file of the documents', async () => {
    const example = of('json').find(({ code }) => code.includes('"workspaces"'))
    const keys = (example?.code ?? '').replace(/\{ "(env|file)": "[^"]*" \}/g, '{ "env": "PATH" }')
    const folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-config-'))
    try {
      await writeFile(path.join(folder, 'workspaces.json'), keys)
      const workspaces = await readConfigFile(path.join(folder, 'workspaces.json'))
      expect(Object.keys(workspaces)).toEqual(['brand-a', 'staging'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('the README has at most 200 lines', () => {
    expect(readDocument('README.md').split('\n').length).toBeLessThanOrEqual(200)
  })

  test('the guarantees have a line for every failure, with its test', () => {
    const rows = [...readDocument('docs/guarantees.md').matchAll(/^\| (\d+) \|.*`test\/faults\/(\d+)-/gm)]
    expect(rows.filter(([, row, file]) => Number(row) !== Number(file))).toEqual([])
    const numbers = new Set(rows.map(([, row]) => Number(row)))
    expect([...numbers]).toEqual(Array.from({ length: 53 }, (_, n) => n + 1))
  })
})

/** What the command line printed, by its arguments, so that it runs only once for each help text. */
const printed = new Map<string, Promise<string>>()

function cli(...args: string[]): Promise<string> {
  const key = args.join(' ')
  const run = async () => {
    const main = path.join(REPOSITORY, 'src/cli/main.ts')
    return (await promisify(execFile)(process.execPath, [main, ...args])).stdout
  }
  const stdout = printed.get(key) ?? run()
  printed.set(key, stdout)
  return stdout
}
