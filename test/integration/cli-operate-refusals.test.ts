import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

const cli = (...args: string[]) => startCli(args, { DATABASE_URL: db.url, NO_COLOR: '1' }).ended()

describe('wrong input gives one line', () => {
  test.each([
    [['dead', 'list', '--since', 'yesterday'], 'Expected --since to be a time'],
    [['dead', 'list', '--limit', '0'], 'Expected --limit to be a whole number from 1 to 10000'],
    [['dead', 'list', '--after', 'x'], 'Expected after to be the `next` of a page'],
    [['dead', 'list', '--reason', 'broken'], "unknown reason 'broken'"],
    [['dead', 'redrive', '--yes'], 'the filter is empty and would match everything'],
    [['dead', 'redrive', '--person', 'x', '--rate', 'fast', '--yes'], 'Expected --rate to be a whole number'],
    [['dead', 'show', 'x'], 'ids of the filter must be UUIDs or ULIDs'],
    [['dead', 'show', '01a20a1d-5e19-71c8-ae3c-9274b2d19327'], 'Expected the id of a dead letter'],
    [['actions', '--watch'], 'Expected the id of an action with --watch'],
    [['actions', 'x'], 'uuid'],
    [
      ['pending', 'reschedule', '--at', 'soon', '--person', 'x', '--yes'],
      'Expected --at to be now or a time',
    ],
    [['replay', '--person', 'x', '--yes'], 'the filter matches no intent'],
    [['erase', '--yes'], '--person'],
  ])('%j', async (args, message) => {
    const { status, stdout, stderr } = await cli(...args)
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(status === 1 || status === 2).toBe(true)
    expect(stdout.trim().split('\n').length).toBeLessThanOrEqual(3)
  })
})
