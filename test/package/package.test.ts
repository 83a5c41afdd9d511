import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { build as esbuild } from 'esbuild'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type InstalledPackage, installPackage, ROOT } from '../../scripts/package/install-package.ts'
import { bundleAppSide } from '../../scripts/package/measure-app-side.ts'
import { readMigrations } from '../../src/store/migrate/migrations.ts'
import { namesOf } from '../../src/store/names.ts'
import { createTestDatabase } from '../support/database.ts'

const ENTRIES = [
  'customerio-outbox',
  'customerio-outbox/relay',
  'customerio-outbox/operator',
  'customerio-outbox/schema',
  'customerio-outbox/testing',
]

let installed: InstalledPackage

beforeAll(async () => {
  await promisify(execFile)('npm', ['run', 'build'], { cwd: ROOT })
  installed = await installPackage()
})

afterAll(() => installed?.[Symbol.asyncDispose]())

/** Runs a program in the folder of the app, and returns its output. */
async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { cwd: installed.app, env: { ...process.env, ...env } }
  const { stdout } = await promisify(execFile)(process.execPath, args, options)
  return stdout
}

/** The path of an app of the tests, to be bundled as if it were in the folder with the installed package. */
const sourceOf = (app: 'enqueue' | 'deliver') => path.join(ROOT, `test/package/apps/${app}.ts`)

async function namesIn(load: string, ...flags: string[]): Promise<string[]> {
  return JSON.parse(
    await run([...flags, '-e', `${load}.then((m) => console.log(JSON.stringify(Object.keys(m))))`]),
  )
}

describe.each(ENTRIES)('%s', (entry) => {
  test('has the same exports for import and require, without a flag and without require of ES modules', async () => {
    const imported = await namesIn(`import('${entry}')`)
    // Jest is such an environment: its `require` cannot load an ECMAScript module.
    const required = await namesIn(`Promise.resolve(require('${entry}'))`, '--no-experimental-require-module')
    expect(imported.length).toBeGreaterThan(0)
    expect(required.filter((name) => name !== '__esModule').sort()).toEqual(
      imported.filter((name) => name !== 'default' && name !== 'module.exports').sort(),
    )
  })
})

test('the entry points are for apps, relays, operators, the schema and tests', async () => {
  const names = await Promise.all(ENTRIES.map((entry) => namesIn(`import('${entry}')`)))
  expect(names[0]).toEqual(expect.arrayContaining(['createOutbox', 'intents', 'InvalidIntentError']))
  expect(names[1]).toEqual(expect.arrayContaining(['createRelay', 'drain', 'migrate', 'migrationScript']))
  expect(names[2]).toEqual(expect.arrayContaining(['createOperator']))
  expect(names[3]).toEqual(expect.arrayContaining(['outbox', 'intents', 'dedup', 'deadLetters', 'breakers']))
  expect(names[4]).toEqual(expect.arrayContaining(['startFakeCustomerIo']))
})

test('every exported error class has a code, because instanceof knows only one of the two copies', async () => {
  const script = `const classes = [require('customerio-outbox'), require('customerio-outbox/relay')]
    .flatMap((entry) => Object.values(entry)).filter((one) => one.prototype instanceof Error)
    const made = classes.map((One) => [One.name, new One(new Map(), {}, {}).code])
    console.log(JSON.stringify(made))`
  const codes = JSON.parse(await run(['-e', script])) as [string, unknown][]
  expect(codes.length).toBeGreaterThanOrEqual(8)
  expect(codes.filter(([, code]) => typeof code !== 'string')).toEqual([])
})

test('createOutbox and the builders import nothing of the relay and no package', async () => {
  const bundle = await bundleAppSide(installed)
  expect(bundle.bytes).toBeLessThanOrEqual(40_000)
  expect(bundle.imports.filter((name) => !name.startsWith('node:'))).toEqual([])
  const maps = await Promise.all(
    bundle.files.map((file) => readFile(path.join(installed.app, `${file}.map`), 'utf8')),
  )
  const sources = maps
    .flatMap((map) => JSON.parse(map).sources as string[])
    .map((file) => file.replace(/^(\.\.\/)+/, ''))
  expect(sources).toContain('src/enqueue/outbox.ts')
  expect(
    sources.filter(
      (file) =>
        !/^src\/(intent|encryption|enqueue)\//.test(file) &&
        !['src/index.ts', 'src/store/names.ts'].includes(file) &&
        !/^node_modules\/(fastest-levenshtein|safe-stable-stringify)\//.test(file),
    ),
  ).toEqual([])
})

test('the published files are the built code, its types, the migrations and the command, without sources', async () => {
  const files = (await readdir(installed.folder, { recursive: true })).map((file) =>
    file.replaceAll('\\', '/'),
  )
  expect(files).toEqual(
    expect.arrayContaining([
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cjs/index.js',
      'dist/cjs/index.d.ts',
      'dist/cjs/LICENSES.txt',
      'dist/cli/main.js',
      'migrations/meta/_journal.json',
      'LICENSE',
      'README.md',
    ]),
  )
  expect(files.filter((file) => /^(test|bench|src|scripts|examples)\//.test(file))).toEqual([])
})

test('the command runs from the package, and knows its version', async () => {
  const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))
  const main = path.join(installed.folder, 'dist/cli/main.js')
  expect((await run([main, '--version'])).trim()).toBe(version)
})

describe('in a bundle', () => {
  /** What the ES module of a bundle with CommonJS packages, such as pg, needs from esbuild's user. */
  const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`

  async function bundle(app: 'enqueue' | 'deliver', format: 'esm' | 'cjs'): Promise<string> {
    const outfile = path.join(installed.app, `bundles/${app}.${format === 'esm' ? 'mjs' : 'cjs'}`)
    await esbuild({
      stdin: { contents: await readFile(sourceOf(app), 'utf8'), resolveDir: installed.app, loader: 'ts' },
      outfile,
      bundle: true,
      platform: 'node',
      format,
      banner: format === 'esm' ? { js: REQUIRE } : {},
      logLevel: 'silent', // pg looks for pg-native, which an app may leave out
    })
    return outfile
  }

  test.each(['esm', 'cjs'] as const)('of esbuild, %s, an app enqueues', async (format) => {
    const db = await createTestDatabase()
    try {
      const env = { DATABASE_URL: db.url }
      expect(JSON.parse(await run([await bundle('enqueue', format)], env))).toMatchObject({
        duplicate: false,
      })
      expect(await db.rows('SELECT operation FROM outbox.intents')).toEqual([{ operation: 'track' }])
    } finally {
      await db.drop()
    }
  })

  test('of vite for a server, an app enqueues', async () => {
    const entry = path.join(installed.app, 'enqueue.ts')
    await promisify(execFile)('cp', [sourceOf('enqueue'), entry])
    await vite({
      root: installed.app,
      configFile: false,
      logLevel: 'silent',
      build: { ssr: entry, outDir: 'bundles/vite' },
      ssr: { noExternal: ['customerio-outbox'], external: ['pg'] },
    })
    const db = await createTestDatabase()
    try {
      const [file = ''] = (await readdir(path.join(installed.app, 'bundles/vite'))).filter((one) =>
        one.startsWith('enqueue'),
      )
      const output = path.join(installed.app, 'bundles/vite', file)
      expect(await readFile(output, 'utf8')).not.toContain(`from "customerio-outbox"`)
      expect(JSON.parse(await run([output], { DATABASE_URL: db.url }))).toMatchObject({ duplicate: false })
      expect(await db.rows('SELECT operation FROM outbox.intents')).toEqual([{ operation: 'track' }])
    } finally {
      await db.drop()
    }
  })

  test.each(['esm', 'cjs'] as const)(
    'of esbuild, %s, the relay finds its migrations and delivers',
    async (format) => {
      const db = await createTestDatabase('empty')
      try {
        const output = JSON.parse(await run([await bundle('deliver', format)], { DATABASE_URL: db.url }))
        expect(output).toEqual({ migrations: readMigrations(namesOf()).length, events: ['order_placed'] })
        const known = readMigrations(namesOf()).map(({ hash }) => ({ hash }))
        expect(await db.rows('SELECT hash FROM outbox.migrations ORDER BY version')).toEqual(known)
      } finally {
        await db.drop()
      }
    },
  )
})
