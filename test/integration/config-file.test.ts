import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readConfigFile } from '../../src/cli/settings/config-file.ts'
import { redact } from '../../src/cli/output/redact.ts'
import { allWorkspaces, workspaceFromEnvironment } from '../../src/cli/settings/workspaces.ts'
import { runCli } from '../support/cli.ts'

const SECRET = 's3cr3t-of-the-track-api'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-config-'))
  file = path.join(folder, 'relay.json')
  vi.stubEnv('A_SITE_ID', 'site-a')
  vi.stubEnv('A_TRACK_KEY', SECRET)
  vi.stubEnv('EMPTY', '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const track = { siteId: { env: 'A_SITE_ID' }, trackApiKey: { env: 'A_TRACK_KEY' } }
const write = (config: unknown) =>
  writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
const wrong = async (config: unknown) => {
  await write(config)
  const error = await readConfigFile(file).catch((error: Error) => error)
  return (error as Error).message.replaceAll(folder, '.')
}

test('keys come from the environment by name, or from a file by its path', async () => {
  await writeFile(path.join(folder, 'app-key'), 'app-key-of-a\n')
  const settings = {
    region: 'eu',
    trackUrl: 'http://127.0.0.1:8099',
    allowRecipients: ['*@example.com'],
    maxAgeSeconds: 3_600,
    deliveredPayloads: 'keep',
    deliveredPayloadDays: 90,
    onDead: { default: 'hold', track: 'continue' },
    identifyTimestamp: false,
    requestsPerSecond: { track: 50 },
  }
  await write({
    workspaces: {
      'brand-a': { ...track, appApiKey: { file: 'app-key' }, ...settings },
      b: { pipelinesWriteKey: { file: path.join(folder, 'app-key') } },
    },
  })
  expect(await readConfigFile(file)).toEqual({
    'brand-a': { siteId: 'site-a', trackApiKey: SECRET, appApiKey: 'app-key-of-a', ...settings },
    b: { pipelinesWriteKey: 'app-key-of-a' },
  })
  expect(redact(`${SECRET} app-key-of-a`)).toBe('*** ***')
})

test.each<[string, unknown, RegExp]>([
  [
    'no JSON',
    `{"workspaces": {"a": {"trackApiKey": "${SECRET}"`,
    /^\.\/relay\.json: expected JSON: syntax error at line \d+ column \d+$/,
  ],
  ['an array', [], /^\.\/relay\.json: invalid input: expected object, received array$/],
  ['no workspaces', {}, /^\.\/relay\.json: workspaces: invalid input: expected record/],
  [
    'an empty list of workspaces',
    { workspaces: {} },
    /^\.\/relay\.json: workspaces: expected at least one workspace, got none$/,
  ],
  [
    'a name with a slash',
    { workspaces: { 'a/b': track } },
    /workspaces\.a\/b: expected the name of a workspace to be 1 to 63/,
  ],
  [
    'a key in the file',
    { workspaces: { a: { ...track, trackApiKey: SECRET } } },
    /^\.\/relay\.json: workspaces\.a\.trackApiKey: expected \{"env".*\{"file".*\}, got a string: move the key out of this file$/,
  ],
  [
    'a reference of an unknown kind',
    { workspaces: { a: { ...track, trackApiKey: { vault: 'x' } } } },
    /workspaces\.a\.trackApiKey: expected \{"env"/,
  ],
  [
    'a variable that is not set',
    { workspaces: { a: { ...track, trackApiKey: { env: 'NOT_THERE' } } } },
    /workspaces\.a\.trackApiKey: the environment variable NOT_THERE is not set$/,
  ],
  [
    'an empty variable',
    { workspaces: { a: { ...track, trackApiKey: { env: 'EMPTY' } } } },
    /the environment variable EMPTY is not set$/,
  ],
  [
    'a file that is not there',
    { workspaces: { a: { appApiKey: { file: 'nowhere' } } } },
    /workspaces\.a\.appApiKey: cannot read \.\/nowhere: ENOENT$/,
  ],
  [
    'an empty file',
    { workspaces: { a: { appApiKey: { file: 'empty' } } } },
    /appApiKey: the file \.\/empty is empty: give a credential of Customer\.io$/,
  ],
  [
    'half a credential',
    { workspaces: { a: { siteId: { env: 'A_SITE_ID' } } } },
    /workspaces\.a: must have both siteId and trackApiKey/,
  ],
  [
    'no credential',
    { workspaces: { a: { region: 'eu' } } },
    /workspaces\.a: must have siteId and trackApiKey, appApiKey/,
  ],
  [
    'a misspelt setting of a workspace',
    { workspaces: { a: { ...track, regoin: 'eu' } } },
    /workspaces\.a\.regoin: unknown setting$/,
  ],
  [
    'a misspelt setting at the top',
    { workspaces: { a: track }, worksapces: {} },
    /^\.\/relay\.json: worksapces: unknown setting$/,
  ],
  [
    'an unknown region',
    { workspaces: { a: { ...track, region: 'uk' } } },
    /workspaces\.a\.region: invalid option: expected one of "us"\|"eu"$/,
  ],
  [
    'a rate of 0',
    { workspaces: { a: { ...track, requestsPerSecond: { track: 0 } } } },
    /workspaces\.a\.requestsPerSecond\.track: expected a number above 0, at most 100000$/,
  ],
])('%s: one line that names the setting', async (_, config, line) => {
  await writeFile(path.join(folder, 'empty'), '\n')
  const message = await wrong(config)
  expect(message).toMatch(line)
  expect(message.split('\n')).toHaveLength(1)
  expect(message).not.toContain(SECRET)
})

test('each wrong setting has its own line on stderr, and the exit status is 2', async () => {
  await write({ workspaces: { a: { ...track, region: 'uk', maxAge: 1 }, b: { appApiKey: SECRET } } })
  const { status, stderr, stdout } = await runCli(['relay'], {
    DATABASE_URL: 'postgres://127.0.0.1:1/app',
    OUTBOX_CONFIG: file,
  })
  const lines = stderr.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  for (const line of lines) expect(line).toContain(`customerio-outbox: ${file}: workspaces.`)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).not.toContain(SECRET)
})

test('the workspace of the environment joins those of the file, and it is an error if the file defines it too', () => {
  const ofEnvironment = workspaceFromEnvironment({ appApiKey: 'app-key', region: 'eu' })
  const a = { siteId: 'site', trackApiKey: 'key' }
  expect(allWorkspaces(ofEnvironment, { path: 'x', workspaces: { a } })).toEqual({
    default: expect.objectContaining({ appApiKey: 'app-key', region: 'eu' }),
    a,
  })
  expect(allWorkspaces(undefined, { path: 'x', workspaces: { default: a } })).toEqual({ default: a })
  expect(() => allWorkspaces(ofEnvironment, { path: 'x', workspaces: { default: a } })).toThrow(
    /^x: workspaces\.default: the environment's CUSTOMERIO_ credentials/,
  )
})
