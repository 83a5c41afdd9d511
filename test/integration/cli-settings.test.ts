import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeFailure } from '../../src/cli/errors.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const SECRET = 'tr0ub4dor-and-3'
const CREDENTIALS = { CUSTOMERIO_SITE_ID: 'site', CUSTOMERIO_TRACK_API_KEY: SECRET }
const NOBODY = { DATABASE_URL: `postgres://app:${SECRET}@127.0.0.1:1/app` }

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase('empty')
})
afterAll(() => db.drop())

test.each<[string, string[], Record<string, string>, RegExp]>([
  ['no database', ['migrate'], {}, /DATABASE_URL is not set: set it/],
  ['an empty variable', ['migrate'], { DATABASE_URL: '' }, /DATABASE_URL is not set/],
  [
    'another database',
    ['migrate'],
    { DATABASE_URL: `mysql://app:${SECRET}@db/app` },
    /not the URL of a Postgres/,
  ],
  ['no URL at all', ['status'], { DATABASE_URL: `host=db password=${SECRET}` }, /not the URL of a Postgres/],
  [
    'no URL to listen by',
    ['relay', '--listen-url', `host=db password=${SECRET}`],
    { ...NOBODY, ...CREDENTIALS },
    /OUTBOX_LISTEN_URL \(or --listen-url\) is not the URL of a Postgres database/,
  ],
  [
    'one connection',
    ['relay', '--connections', '1'],
    { ...NOBODY, ...CREDENTIALS },
    /--connections must be a whole number from 2 to 50, got "1"/,
  ],
  [
    'no credentials',
    ['relay'],
    NOBODY,
    /no credentials: set CUSTOMERIO_SITE_ID and CUSTOMERIO_TRACK_API_KEY.*CUSTOMERIO_APP_API_KEY.*CUSTOMERIO_PIPELINES_WRITE_KEY.*--config/,
  ],
  [
    'a site id alone',
    ['relay'],
    { ...NOBODY, CUSTOMERIO_SITE_ID: 'site' },
    /CUSTOMERIO_TRACK_API_KEY is not set: .* belongs to CUSTOMERIO_SITE_ID/,
  ],
  [
    'a Track key alone',
    ['relay'],
    { ...NOBODY, CUSTOMERIO_TRACK_API_KEY: SECRET },
    /CUSTOMERIO_SITE_ID is not set: .* CUSTOMERIO_TRACK_API_KEY belongs to/,
  ],
  [
    'a config file that is not there',
    ['relay', '--config', '/nowhere/relay.json'],
    NOBODY,
    /--config: cannot read \/nowhere\/relay.json: ENOENT/,
  ],
  [
    'a region of elsewhere',
    ['relay'],
    { ...NOBODY, ...CREDENTIALS, CUSTOMERIO_REGION: 'uk' },
    /CUSTOMERIO_REGION must be us or eu, got "uk"/,
  ],
  [
    'no origin',
    ['relay'],
    { ...NOBODY, ...CREDENTIALS, CUSTOMERIO_TRACK_URL: 'ftp://x' },
    /CUSTOMERIO_TRACK_URL must be an http/,
  ],
  [
    'no origin of the App API',
    ['relay'],
    { ...NOBODY, CUSTOMERIO_APP_API_KEY: SECRET, CUSTOMERIO_APP_URL: 'app.example.com' },
    /CUSTOMERIO_APP_URL must be an http/,
  ],
  [
    'a loud log',
    ['relay'],
    { ...NOBODY, ...CREDENTIALS, LOG_LEVEL: 'loud' },
    /LOG_LEVEL must be one of .*debug.* got "loud"/,
  ],
  [
    'a schema of capitals',
    ['migrate'],
    { ...NOBODY, OUTBOX_SCHEMA: 'My-Box' },
    /OUTBOX_SCHEMA .* got "My-Box"/,
  ],
  [
    'a port of letters',
    ['relay', '--port', 'http'],
    { ...NOBODY, ...CREDENTIALS },
    /--port must be a whole number from 0 to 65535, got "http"/,
  ],
  [
    'too many lanes',
    ['relay', '--lanes', '65'],
    { ...NOBODY, ...CREDENTIALS },
    /--lanes must be a whole number from 1 to 64, got "65"/,
  ],
  [
    'no seconds',
    ['relay', '--breaker-half-open-after', '-1'],
    { ...NOBODY, ...CREDENTIALS },
    /--breaker-half-open-after must be seconds/,
  ],
  [
    'a watch of words',
    ['status', '--watch', 'often'],
    NOBODY,
    /--watch must be seconds from 0.2 to 3600, got "often"/,
  ],
  ['a demo of nothing', ['demo', '--intents', '5'], {}, /--intents must be a whole number from 100/],
  [
    'an unknown option',
    ['relay', '--prot', '8080'],
    NOBODY,
    /unknown option '--prot' \(Did you mean --port\?\)/,
  ],
  ['an unknown command', ['migrat'], NOBODY, /unknown command 'migrat' \(Did you mean migrate\?\)/],
])('%s: one line that says what to set, exit status 2', async (_, args, env, line) => {
  const { status, stdout, stderr } = await runCli(args, env)
  expect(stderr).toMatch(line)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stdout).toBe('')
  expect(stderr).not.toContain(SECRET)
  expect(status).toBe(2)
})

describe('a database that does not let in', () => {
  const withPart = (change: (url: URL) => void) => {
    const url = new URL(db.url)
    change(url)
    return url.toString()
  }

  test.each<[string, () => string, RegExp, number]>([
    ['nobody listens', () => NOBODY.DATABASE_URL, /cannot connect to the database: .*ECONNREFUSED/, 1],
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
  ])('%s: one line', async (_, url, line, expected) => {
    for (const command of ['migrate', 'status', 'relay', 'demo']) {
      const { status, stderr } = await runCli([command], { ...CREDENTIALS, DATABASE_URL: url() })
      expect(stderr).toMatch(line)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(status).toBe(expected)
    }
  })

  test('details only with LOG_LEVEL=debug, and even then no secret', async () => {
    const { stderr, stdout } = await runCli(['relay'], { ...CREDENTIALS, ...NOBODY, LOG_LEVEL: 'debug' })
    expect(stderr).toMatch(/\n\s+at /)
    expect(stderr + stdout).not.toContain(SECRET)
  })
})

test.each([
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND db', 2],
  ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN db', 1],
  ['57P03', 'the database system is starting up', 1],
])('%s of a connection is told as one', (code, message, exitStatus) => {
  const failure = describeFailure(Object.assign(new Error(message), { code }))
  expect(failure).toEqual({
    line: expect.stringContaining(`cannot connect to the database: ${message}`),
    exitStatus,
  })
})

test.each(['migrate', 'relay', 'status', 'demo'])('%s --help ends with examples', async (command) => {
  const { status, stdout, stderr } = await runCli([command, '--help'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/Examples:\n(.|\n)*\$ customerio-outbox/)
})

test('--version prints the version and nothing else', async () => {
  expect(await runCli(['--version'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
})
