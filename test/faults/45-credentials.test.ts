import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, InvalidSettingError } from '../../src/relay.ts'
import { type CliProcess, runCli, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { GOLDENS, type Golden, INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'
import { createAppTransport } from '../../src/customerio/transports/app-transport.ts'
import { everyText, textsOfLines } from './support/every-row.ts'
import { startGateway } from './support/network/gateway.ts'

/*
 * Guards `credentialProblem` at every place that loads credentials, and `describeError`.
 * A test fails after each of these changes:
 * - if `credentialProblem` finds nothing, `createRelay` throws nothing, the commands start, and the relay applies the
 *   changed file with a key that the HTTP client refuses;
 * - if `describeError` keeps the error's own message, the answer quotes the key.
 */

const KEY = 'app-key-1f6a09c3'
const OTHER = 'second-line-77d0'
/** Pieces of the keys. No output may contain one. */
const PARTS = [KEY, OTHER, KEY.slice(0, 8), OTHER.slice(-8)]

const BAD: readonly (readonly [string, string, string])[] = [
  ['two lines', `${KEY}\n${OTHER}`, 'has 2 lines: give one credential alone'],
  ['two lines of Windows', `${KEY}\r\n${OTHER}`, 'has 2 lines: give one'],
  [
    'a line break at its end',
    `${KEY}\n`,
    'contains a line break: copy the credential again, as visible ASCII characters without spaces',
  ],
  ['a carriage return', `${KEY}\r`, 'contains a line break'],
  ['a tab', `${KEY}\t`, 'contains a tab'],
  ['a space', `${KEY} ${OTHER}`, 'contains a space'],
  ['a control character', `${KEY}\u0001`, 'contains a control character'],
  ['a letter beyond ASCII', `${KEY}é`, 'contains a character that is not ASCII'],
  ['a dash of a word processor', `${KEY}–${OTHER}`, 'contains a character that is not ASCII'],
]

let h: Harness
let folder: string
const started: CliProcess[] = []
beforeEach(async () => {
  h = await startHarness()
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-45-'))
})
afterEach(async () => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL')
  await h.close()
  await rm(folder, { recursive: true })
})

function expectNoPart(texts: readonly string[]): void {
  expect(texts.filter((text) => PARTS.some((part) => text.includes(part)))).toEqual([])
}

const SETTINGS = ['siteId', 'trackApiKey', 'appApiKey', 'pipelinesWriteKey'] as const

test('45: createRelay and updateWorkspaces refuse every malformed credential and name its setting', async () => {
  const relay = await h.relay()
  for (const [, key, problem] of BAD) {
    for (const setting of SETTINGS) {
      const options = { ...everyApi(h.fake), [setting]: key }
      const create = () => createRelay({ connectionString: h.db.url, workspaces: { a: options } })
      expect(create).toThrow(InvalidSettingError)
      const updated = await relay.updateWorkspaces({ a: options }).catch((error: Error) => error)
      for (const message of [messageOf(create), String(updated)]) {
        const expected = `Expected workspaces.a.${setting} to be a credential of Customer.io`
        expect(message).toContain(`${expected}, got a text that ${problem}`)
        expectNoPart([message])
      }
    }
  }
  expect(relay.destinations).toContain('default/track')
})

function messageOf(call: () => unknown): string {
  try {
    call()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

test('45: the command `relay` refuses a malformed credential in one line that names the variable or the file', async () => {
  const environment = { DATABASE_URL: h.db.url, CUSTOMERIO_APP_URL: h.fake.url }
  const keyFile = path.join(folder, 'key')
  const config = path.join(folder, 'relay.json')
  await writeFile(keyFile, `${KEY}\n${OTHER}\n`)
  await writeFile(config, JSON.stringify({ workspaces: { a: { appApiKey: { file: './key' } } } }))
  const ofVariable = join(
    'customerio-outbox: Expected CUSTOMERIO_APP_API_KEY to be a credential of Customer.io, got a text that ',
  )
  const [breaks, tab, letter, file] = await Promise.all([
    runCli(['relay'], { ...environment, CUSTOMERIO_APP_API_KEY: `${KEY}\r\n${OTHER}` }),
    runCli(['relay'], { ...environment, CUSTOMERIO_APP_API_KEY: `${KEY}\t` }),
    runCli(['relay'], { ...environment, CUSTOMERIO_APP_API_KEY: `${KEY}é`, LOG_LEVEL: 'debug' }),
    runCli(['relay', '--config', config], environment),
  ])
  expect([breaks, tab, letter, file].map(({ status }) => status)).toEqual([2, 2, 2, 2])
  expect(breaks.stderr).toBe(ofVariable('has 2 lines: give one credential alone\n'))
  expect(tab.stderr).toContain(
    ofVariable('contains a tab: copy the credential again, as visible ASCII characters without spaces'),
  )
  expect(letter.stderr).toContain(ofVariable('contains a character that is not ASCII'))
  expect(file.stderr).toBe(
    `customerio-outbox: ${config}: workspaces.a.appApiKey: the file ${keyFile} has 2 lines: give one credential alone\n`,
  )
  expectNoPart([breaks, tab, letter, file].flatMap(({ stdout, stderr }) => [stdout, stderr]))
})

function join(start: string) {
  return (end: string) => start + end
}

test('45: a key file that gets a second line while the relay runs causes one log line, and the previous key stays in use', async () => {
  const keyFile = path.join(folder, 'key')
  const config = path.join(folder, 'relay.json')
  await writeFile(keyFile, `${KEY}\n`)
  const workspace = {
    siteId: { env: 'SITE' },
    trackApiKey: { file: './key' },
    trackUrl: h.fake.url,
  }
  await writeFile(config, JSON.stringify({ workspaces: { default: workspace } }))
  const environment = { DATABASE_URL: h.db.url, SITE: 'site', LOG_LEVEL: 'trace' }
  const relay = startCli(['relay', '--no-check-region', '--config', config], environment)
  started.push(relay)
  await relay.printed(/"message":"started"/)
  await writeFile(keyFile, `${KEY}\n${OTHER}\n`)
  const [line] = await relay.printed(/.*invalid settings ignored.*/)
  expect(JSON.parse(line).error).toContain(`the file ${keyFile} has 2 lines: give one`)
  await h.enqueue(track('u1', 1), track('u2', 2))
  await h.drained()
  expect(h.fake.counts.applied).toBe(2)
  // The relay reads the file every 2 s. The file stays invalid, and the relay logs that once.
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  const status = await runCli(['status', '--json'], environment)
  relay.child.kill('SIGTERM')
  const { stdout, stderr } = await relay.ended()
  expect(stdout.match(/invalid settings ignored/g)).toHaveLength(1)
  expectNoPart([stdout, stderr, status.stdout, status.stderr].flatMap(textsOfLines))
  expectNoPart([...(await everyText(h.db)).values()].flat())
})

test('45: an error of the HTTP client about a malformed key does not quote the key', async () => {
  const { operation, payload } = GOLDENS.find(({ api }) => api === 'app') as Golden
  for (const [, appApiKey] of BAD) {
    const transport = createAppTransport({ appApiKey, appUrl: h.fake.url }, 1_000)
    const item = transport.prepare({ id: INTENT_ID, operation, payload, occurredAtSeconds: OCCURRED_AT })
    const answer = await transport.send([item])
    await transport.close()
    expectNoPart([JSON.stringify(answer)])
  }
})

test('45: an error of the HTTP client is described by its code', async () => {
  const gone = await startGateway(h.fake)
  await gone.close()
  await h.relay({ customerio: everyApi(gone) })
  await h.enqueue(track('u1', 1))
  const lastError = async () =>
    (await h.db.rows<{ last_error: string }>('SELECT last_error FROM outbox.breakers'))[0]?.last_error
  await eventually('a failure', async () => (await lastError()) !== undefined)
  const { host } = new URL(gone.url)
  expect(await lastError()).toBe(`ECONNREFUSED ${host}: connection refused`)
})
