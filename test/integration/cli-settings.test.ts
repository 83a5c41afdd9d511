import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeFailure } from '../../src/cli/errors.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const SECRET = 'tr0ub4dor-and-3'
const CREDENTIALS = { CUSTOMERIO_SITE_ID: 'site', CUSTOMERIO_TRACK_API_KEY: SECRET }
const NO_SERVER = { DATABASE_URL: `postgres://app:${SECRET}@127.0.0.1:1/app` }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase('empty')
})
afterAll(() => db.drop())

test.each<[string, string[], Record<string, string>, RegExp]>([
  ['no database', ['migrate'], {}, /DATABASE_URL is not set: set it/],
  ['an empty variable', ['migrate'], { DATABASE_URL: '' }, /DATABASE_URL is not set/],
  [
    'the URL of another kind of database',
    ['migrate'],
    { DATABASE_URL: `mysql://app:${SECRET}@db/app` },
    /Expected DATABASE_URL .* to be the URL of a Postgres database/,
  ],
  [
    'a connection string that is no URL',
    ['status'],
    { DATABASE_URL: `host=db password=${SECRET}` },
    /Expected DATABASE_URL .* to be the URL of a Postgres database/,
  ],
  [
    'a listen address that is no URL',
    ['relay', '--listen-url', `host=db password=${SECRET}`],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected OUTBOX_LISTEN_URL \(or --listen-url\) to be the URL of a Postgres database/,
  ],
  [
    'a pool of one connection',
    ['relay', '--connections', '1'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --connections to be a whole number from 2 to 50, got "1"/,
  ],
  [
    'another word for keep',
    ['relay', '--delivered-payloads', 'yes'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --delivered-payloads to be drop or keep, got "yes"/,
  ],
  [
    'days of payloads that are not kept',
    ['relay', '--delivered-payload-days', '5'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --delivered-payloads keep with --delivered-payload-days/,
  ],
  [
    'payloads of a workspace that the environment does not have',
    ['relay', '--delivered-payloads', 'keep'],
    NO_SERVER,
    /--delivered-payloads is for the workspace default .*: set deliveredPayloads in the config file/,
  ],
  [
    'no credentials',
    ['relay'],
    NO_SERVER,
    /no credentials: set CUSTOMERIO_SITE_ID and CUSTOMERIO_TRACK_API_KEY.*CUSTOMERIO_APP_API_KEY.*CUSTOMERIO_PIPELINES_WRITE_KEY.*--config/,
  ],
  [
    'a site id alone',
    ['relay'],
    { ...NO_SERVER, CUSTOMERIO_SITE_ID: 'site' },
    /CUSTOMERIO_TRACK_API_KEY is not set: .* belongs to CUSTOMERIO_SITE_ID/,
  ],
  [
    'a Track key alone',
    ['relay'],
    { ...NO_SERVER, CUSTOMERIO_TRACK_API_KEY: SECRET },
    /CUSTOMERIO_SITE_ID is not set: .* CUSTOMERIO_TRACK_API_KEY belongs to/,
  ],
  [
    'a config file that is not there',
    ['relay', '--config', '/nowhere/relay.json'],
    NO_SERVER,
    /--config: cannot read \/nowhere\/relay.json: ENOENT/,
  ],
  [
    'an unknown region',
    ['relay'],
    { ...NO_SERVER, ...CREDENTIALS, CUSTOMERIO_REGION: 'uk' },
    /Expected CUSTOMERIO_REGION to be us or eu, got "uk"/,
  ],
  [
    'an origin of another protocol',
    ['relay'],
    { ...NO_SERVER, ...CREDENTIALS, CUSTOMERIO_TRACK_URL: 'ftp://x' },
    /Expected CUSTOMERIO_TRACK_URL to be an http/,
  ],
  [
    'an App API origin without a protocol',
    ['relay'],
    { ...NO_SERVER, CUSTOMERIO_APP_API_KEY: SECRET, CUSTOMERIO_APP_URL: 'app.example.com' },
    /Expected CUSTOMERIO_APP_URL to be an http/,
  ],
  [
    'an unknown log level',
    ['relay'],
    { ...NO_SERVER, ...CREDENTIALS, LOG_LEVEL: 'loud' },
    /Expected LOG_LEVEL to be one of .*debug.* got "loud"/,
  ],
  [
    'a schema with capitals',
    ['migrate'],
    { ...NO_SERVER, OUTBOX_SCHEMA: 'My-Box' },
    /Expected OUTBOX_SCHEMA .* got "My-Box"/,
  ],
  [
    'a port that is no number',
    ['relay', '--port', 'http'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --port to be a whole number from 0 to 65535, got "http"/,
  ],
  [
    'an unknown choice for dead letters',
    ['relay', '--on-dead', 'stop'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --on-dead to be continue or hold, got "stop"/,
  ],
  [
    'a choice for dead letters without a workspace in the environment',
    ['relay', '--on-dead', 'hold', '--config', 'workspaces.json'],
    NO_SERVER,
    /--on-dead is for the workspace default of the environment.* set onDead in the config file/,
  ],
  [
    'too many workers',
    ['relay', '--workers', '65'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --workers to be a whole number from 1 to 64, got "65"/,
  ],
  [
    'negative seconds',
    ['relay', '--breaker-half-open-after', '-1'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --breaker-half-open-after to be a number of seconds/,
  ],
  [
    'a watch interval that is no number',
    ['status', '--watch', 'often'],
    NO_SERVER,
    /Expected --watch to be a number of seconds from 0.2 to 3600, got "often"/,
  ],
  [
    'a time that is no duration',
    ['drain', '--for', 'soon'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --for to be a duration from 100ms to 15m, such as 50s, got "soon"/,
  ],
  [
    'a time that is too long, in a unit',
    ['drain', '--for', '16m'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --for to be a duration from 100ms to 15m, such as 50s, got "16m"/,
  ],
  [
    'a time that is too short, in seconds',
    ['drain', '--for', '0.05'],
    { ...NO_SERVER, ...CREDENTIALS },
    /Expected --for to be a duration from 100ms to 15m, such as 50s, got "0.05"/,
  ],
  ['a flag of relay', ['drain', '--port', '8080'], NO_SERVER, /unknown option '--port'/],
  ['a drain without credentials', ['drain'], NO_SERVER, /no credentials: set CUSTOMERIO_SITE_ID/],
  [
    'a demo with too few intents',
    ['demo', '--intents', '5'],
    {},
    /Expected --intents to be a whole number from 100/,
  ],
  [
    'an unknown option',
    ['relay', '--prot', '8080'],
    NO_SERVER,
    /unknown option '--prot' \(Did you mean --port\?\)/,
  ],
  ['an unknown command', ['migrat'], NO_SERVER, /unknown command 'migrat' \(Did you mean migrate\?\)/],
])('%s: one line that says what to set, exit status 2', async (_, args, env, line) => {
  const { status, stdout, stderr } = await runCli(args, env)
  expect(stderr).toMatch(line)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stdout).toBe('')
  expect(stderr).not.toContain(SECRET)
  expect(status).toBe(2)
})

describe('a database that refuses the connection', () => {
  const withPart = (change: (url: URL) => void) => {
    const url = new URL(db.url)
    change(url)
    return url.toString()
  }

  test.for<[string, () => string, RegExp, number]>([
    ['nothing listens', () => NO_SERVER.DATABASE_URL, /cannot connect to the database: .*ECONNREFUSED/, 1],
    [
      'a wrong password',
      () =>
        withPart((url) => {
          url.password = SECRET
        }),
      /password authentication failed/,
      2,
    ],
    [
      'no such database',
      () =>
        withPart((url) => {
          url.pathname = '/nowhere'
        }),
      /database "nowhere" does not exist/,
      2,
    ],
  ])('%s: one line', async ([name, url, line, expected], { skip }) => {
    if (name === 'a wrong password') skip(await takesEveryPassword(url()), 'the server asks for no password')
    for (const command of ['migrate', 'status', 'relay', 'drain', 'demo']) {
      const { status, stderr } = await runCli([command], { ...CREDENTIALS, DATABASE_URL: url() })
      expect(stderr).toMatch(line)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(status).toBe(expected)
    }
  })

  /** Whether the server accepts users with any password, as it does with `trust` in pg_hba.conf. */
  async function takesEveryPassword(url: string): Promise<boolean> {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return true
    } catch {
      return false
    } finally {
      await client.end()
    }
  }

  test('a stack trace is printed only with LOG_LEVEL=debug, and even then without a secret', async () => {
    const { stderr, stdout } = await runCli(['relay'], { ...CREDENTIALS, ...NO_SERVER, LOG_LEVEL: 'debug' })
    expect(stderr).toMatch(/\n\s+at /)
    expect(stderr + stdout).not.toContain(SECRET)
  })
})

test.each([
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND db', 2],
  ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN db', 1],
  ['57P03', 'the database system is starting up', 1],
])('%s is reported as a failed connection', (code, message, exitStatus) => {
  const failure = describeFailure(Object.assign(new Error(message), { code }))
  expect(failure).toEqual({
    line: expect.stringContaining(`cannot connect to the database: ${message}`),
    exitStatus,
  })
})

test.each([[], ['migrate'], ['relay'], ['drain'], ['status'], ['pause'], ['resume'], ['doctor'], ['demo']])(
  '%s --help ends with examples and fits in 80 columns',
  async (...command) => {
    const { status, stdout, stderr } = await runCli([...command, '--help'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/Examples:\n(.|\n)*\$ customerio-outbox/)
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  },
)

test('--version prints the version and nothing else', async () => {
  expect(await runCli(['--version'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
})
