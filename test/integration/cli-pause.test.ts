import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
  // pause and resume warn about a destination that never had an intent. So the destinations of most tests have one.
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

test('--json prints one object', async () => {
  expect(await json('resume', 'default/app')).toEqual({
    destination: 'default/app',
    result: 'unchanged',
    retryAt: null,
    known: true,
  })
  const paused = { destination: 'default/app', state: 'paused', reason: 'paused by postgres: a', known: true }
  expect(await json('pause', 'default/app', '--reason', 'a')).toEqual({ ...paused, paused: true })
  expect(await json('pause', 'default/app')).toEqual({ ...paused, paused: false })
  expect(await json('resume', 'default/app')).toMatchObject({ result: 'resumed' })
})

test('a destination without any intent is paused, with a warning about the name', async () => {
  expect(await run('pause', 'defalt/track')).toEqual({
    status: 0,
    stdout:
      'defalt/track is paused: relays send no further requests until customerio-outbox resume defalt/track\n',
    stderr:
      'no intent was ever enqueued for defalt/track: check the name; customerio-outbox resume defalt/track undoes the pause\n',
  })
  expect(await json('pause', 'defalt/track')).toMatchObject({ paused: false, known: false })
  expect(await run('resume', 'defalt/track')).toMatchObject({
    status: 0,
    stderr: 'no intent was ever enqueued for defalt/track: check the name\n',
  })
})

test.each(['pause', 'resume'])(
  '%s rejects an invalid destination in one line, without a connection',
  async (command) => {
    const { status, stdout, stderr } = await runCli([command, 'default'], {
      DATABASE_URL: 'postgres://127.0.0.1:1/x',
    })
    expect(stderr).toBe(
      'customerio-outbox: Expected <destination> to be <workspace>/<api>, with api one of track, app, broadcast, pipelines, such as default/track, got "default"\n',
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
