import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const root = new URL('../..', import.meta.url)

beforeAll(async () => {
  await run('npm', ['run', 'build'], { cwd: root })
})

/** The exports of the built package, as an app sees them: a package may import itself by its name. */
async function exportsOf(entry: string): Promise<string[]> {
  const { stdout } = await run(
    process.execPath,
    ['-e', `import(${JSON.stringify(entry)}).then((m) => console.log(JSON.stringify(Object.keys(m))))`],
    { cwd: root },
  )
  return JSON.parse(stdout)
}

test('the package exports entry points for apps, for relays, for the schema and for tests', async () => {
  expect(await exportsOf('customerio-outbox')).toEqual(
    expect.arrayContaining(['createOutbox', 'intents', 'InvalidIntentError', 'NotATransactionError']),
  )
  expect(await exportsOf('customerio-outbox/relay')).toEqual(
    expect.arrayContaining(['createRelay', 'migrate']),
  )
  expect(await exportsOf('customerio-outbox/schema')).toEqual(
    expect.arrayContaining([
      'outbox',
      'intents',
      'dedup',
      'delivered',
      'deadLetters',
      'breakers',
      'lanes',
      'relays',
    ]),
  )
  expect(await exportsOf('customerio-outbox/testing')).toEqual(
    expect.arrayContaining(['startFakeCustomerIo']),
  )
})

test('the published files are the built code, its types, the migrations and the command, without tests', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root })
  const parsed = JSON.parse(stdout)
  const [pack] = Array.isArray(parsed) ? parsed : Object.values(parsed)
  const files = (pack as { files: { path: string }[] }).files.map(({ path }) => path)
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'migrations/meta/_journal.json',
    'LICENSE',
    'README.md',
  ]) {
    expect(files).toContain(file)
  }
  expect(files.filter((file) => /^(test|bench|src)\//.test(file))).toEqual([])
  expect(existsSync(new URL('dist/cli/main.js', root))).toBe(true)
})
