import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  // pause and resume refuse a destination that is not known. So the destinations of most tests have an intent.
  await db.rows(`SELECT outbox.enqueue('track', '{"customerId": "u1", "name": "x"}'),
                        outbox.enqueue('sendEmail', '{"message": {"identifiers": {"id": "u1"}}}')`)
})
afterAll(() => db.drop())
beforeEach(() => db.rows('TRUNCATE outbox.breakers, outbox.breaker_transitions'))

const run = (...args: string[]) => runCli(args, { DATABASE_URL: db.url })
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout)

test('pause, pause again, status, resume, resume again: each reports what it found and did', async () => {
  expect(await run('pause', 'default/track', '--reason', 'ticket 1234')).toEqual({
    status: 0,
    stderr: '',
    stdout:
      'default/track is paused: relays send no further requests until customerio-outbox resume default/track\n',
  })
  expect((await run('pause', 'default/track', '--reason', 'another')).stdout).toMatch(
    /^default\/track was paused already, since \d{4}-\d\d-\d\dT[\d:]{8}Z: paused by postgres: ticket 1234\n$/,
  )
  const { stdout } = await run('status')
  expect(stdout).toMatch(/default\/track is paused since .*: paused by postgres: ticket 1234/)
  expect(stdout).toMatch(/default\/track\s+paused\s+0\s+\S+s\s+–\s+paused by postgres: ticket 1234/)
  expect(await run('resume', 'default/track')).toEqual({
    status: 0,
    stderr: '',
    stdout: 'default/track is resumed: relays deliver its backlog\n',
  })
  const again = await run('resume', 'default/track')
  expect(again).toMatchObject({
    status: 0,
    stdout: 'default/track has a closed breaker: nothing to resume\n',
  })
})

test('resume of an open breaker shows the last error; resume under a rate limit does not shorten its wait', async () => {
  await db.rows(
    `INSERT INTO outbox.breakers (destination, state, opened_at, retry_at, last_error)
     VALUES ('default/track', 'open', now(), now() + interval '5 min', '503: no service')`,
  )
  expect((await run('resume', 'default/track')).stdout).toBe(
    'default/track will be probed now; its last error: 503: no service\n',
  )
  await run('pause', 'default/track')
  await db.rows("UPDATE outbox.breakers SET rate_limited_until = now() + interval '90 s'")
  expect((await run('resume', 'default/track')).stdout).toMatch(
    /^default\/track is resumed: relays deliver its backlog in 1m \d+s, when the rate limit ends\n$/,
  )
})

test('--json prints one object, whatever the number of destinations', async () => {
  expect(await json('resume', 'default/app')).toEqual({
    preview: false,
    destinations: [{ destination: 'default/app', result: 'unchanged', retryAt: null }],
  })
  const app = { destination: 'default/app', state: 'paused', reason: 'paused by postgres: a' }
  expect(await json('pause', 'default/app', '--reason', 'a')).toEqual({
    preview: false,
    destinations: [{ ...app, paused: true }],
  })
  const track = { destination: 'default/track', state: 'paused', reason: 'paused by postgres' }
  expect(await json('pause', '*')).toEqual({
    preview: false,
    destinations: [
      { ...app, paused: false },
      { ...track, paused: true },
    ],
  })
  expect(await json('resume', '*', '--preview')).toEqual({ preview: true, destinations: [app, track] })
  const { destinations } = await json('resume', '*')
  expect(destinations.map(({ result }: { result: string }) => result)).toEqual(['resumed', 'resumed'])
})

test('patterns and several arguments pause what they match, each destination once', async () => {
  await db.rows(`SELECT outbox.enqueue('track', '{"customerId": "u1", "name": "x"}', workspace => 'brand_1'),
                        outbox.enqueue('track', '{"customerId": "u1", "name": "x"}', workspace => 'brandx1')`)
  const paused = async (...args: string[]) => {
    await db.rows('TRUNCATE outbox.breakers')
    const { status, stdout } = await run('pause', ...args)
    expect(status).toBe(0)
    return stdout.match(/^\S+(?= is paused: )/gm)
  }
  expect(await paused('*')).toEqual(['brand_1/track', 'brandx1/track', 'default/app', 'default/track'])
  expect(await paused('default/*')).toEqual(['default/app', 'default/track'])
  expect(await paused('*/app')).toEqual(['default/app'])
  expect(await paused('brand_*')).toEqual(['brand_1/track'])
  expect(await paused('*/app', 'default/track', '*app')).toEqual(['default/app', 'default/track'])
  await db.rows("DELETE FROM outbox.intents WHERE destination LIKE 'brand%'")
})

test('--preview prints what would be paused or resumed, and changes nothing', async () => {
  expect(await run('pause', '*', '--preview')).toEqual({
    status: 0,
    stderr: '',
    stdout: 'would pause default/app, now closed\nwould pause default/track, now closed\n',
  })
  expect(await db.rows('SELECT FROM outbox.breakers')).toEqual([])
  await run('pause', 'default/app')
  expect((await run('resume', '*', '--preview')).stdout).toBe(
    'would resume default/app, now paused\n' + 'would resume default/track, now closed\n',
  )
  expect(await db.rows("SELECT FROM outbox.breakers WHERE state = 'paused'")).toHaveLength(1)
})

test('a mistyped destination is refused with a suggestion and leaves no breaker; --force pauses it', async () => {
  expect(await run('pause', 'default/app', 'defalt/track')).toEqual({
    status: 2,
    stdout: '',
    stderr:
      'customerio-outbox: defalt/track is no known destination: did you mean default/track? Pass --force if the name is right\n',
  })
  expect(await db.rows('SELECT FROM outbox.breakers')).toEqual([])
  expect(await run('resume', 'other/app')).toEqual({
    status: 2,
    stdout: '',
    stderr: 'customerio-outbox: other/app is no known destination: known are default/app, default/track\n',
  })
  expect(await run('pause', 'defalt/track', '--force')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^defalt\/track is paused: /),
  })
  expect((await run('resume', 'defalt/track')).stdout).toMatch(/^defalt\/track is resumed/)
})

test('a pattern without a match is an error that lists the known destinations', async () => {
  expect(await run('pause', 'defautl/*', '*/broadcast', '--force')).toEqual({
    status: 2,
    stdout: '',
    stderr: `customerio-outbox: defautl/* matches no known destination: known are default/app, default/track
customerio-outbox: */broadcast matches no known destination: known are default/app, default/track
`,
  })
})

test('the destinations of served workspaces and of breakers are known too', async () => {
  const empty = await createTestDatabase()
  try {
    const resume = (name: string) => runCli(['resume', name], { DATABASE_URL: empty.url })
    expect((await resume('default/app')).stderr).toMatch(/: none is known before a relay has started or/)
    await empty.rows("SELECT outbox.register_workspaces('{default}'), outbox.pause('other/app')")
    for (const name of [
      'default/track',
      'default/app',
      'default/broadcast',
      'default/pipelines',
      'other/app',
    ])
      expect(await resume(name)).toMatchObject({ status: 0, stderr: '' })
    expect((await resume('other/track')).stderr).toMatch(
      /is no known destination: known are .*, other\/app\n/,
    )
  } finally {
    await empty.drop()
  }
})

test.each(['pause', 'resume'])(
  '%s rejects an invalid destination in one line, without a connection',
  async (command) => {
    const { status, stdout, stderr } = await runCli([command, 'default'], {
      DATABASE_URL: 'postgres://127.0.0.1:1/x',
    })
    expect(stderr).toBe(
      'customerio-outbox: Expected <destination> to be <workspace>/<api>, with api one of track, app, broadcast, pipelines, such as default/track, or a quoted pattern such as \'default/*\', got "default"\n',
    )
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    const nothing = await run(command)
    expect(nothing).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/missing required argument.*\n$/),
    })
  },
)

test('on a database without the schema, the error names migrate', async () => {
  const empty = await createTestDatabase('empty')
  const { status, stderr } = await runCli(['pause', 'default/track'], { DATABASE_URL: empty.url })
  expect(stderr).toMatch(/^customerio-outbox: .*run `customerio-outbox migrate`.*\n$/)
  expect(status).toBe(2)
  await empty.drop()
})
