import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operate } from '../support/operate.ts'
import { type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
let op: ReturnType<typeof operate>
beforeAll(async () => {
  h = await startHarness()
  op = operate(h)
})
afterAll(() => h.close())

describe('a wrong filter', () => {
  test.each([
    ['redrive', {}, 'the filter is empty and would match everything'],
    ['redrive', { colour: 'red' }, "unknown field 'colour' of the filter"],
    ['redrive', { ids: ['42'] }, 'ids of the filter must be UUIDs or ULIDs'],
    ['redrive', { reason: 'broken' }, "unknown reason 'broken'"],
    ['redrive', { status: 'four' }, 'status of the filter must be an HTTP status'],
    ['redrive', { since: 'yesterday at noon' }, 'since of the filter must be a time'],
    ['redrive', { since: 'infinity' }, 'since of the filter must be a time'],
    ['redrive', { person: [] }, 'must be a value or an array of at least one value'],
    ['redrive', { person: { id: 'u1' } }, 'must be a text or a number'],
    ['redrive', { person: '' }, 'an empty text'],
    ['cancel', { reason: 'rejected' }, "unknown field 'reason' of the filter"],
    ['erase', { workspace: 'default' }, 'the filter names no person'],
    ['erase', { operation: 'track' }, "unknown field 'operation' of the filter"],
    ['destroy', { person: 'u1' }, "unknown kind of action 'destroy'"],
    ['reschedule', { person: 'u1' }, 'at must be a time'],
  ])('%s with %j is refused', async (kind, filter, message) => {
    await expect(op.preview(kind, filter)).rejects.toThrow(message)
  })

  test.each([
    [{ rate: 0 }, 'rate must be 1 to 1000000 intents a second'],
    [{ rate: 'fast' }, 'rate must be 1 to 1000000 intents a second'],
    [{ restamp: 'yes' }, 'restamp must be true or false'],
    [{ at: '2026-01-01' }, "unknown option 'at'"],
  ])('the options %j are refused', async (options, message) => {
    await expect(op.preview('redrive', { person: 'u1' }, options)).rejects.toThrow(message)
  })

  test('a value that looks like SQL matches nothing', async () => {
    await op.deadLetters(track('u1', 1))
    for (const value of ["x' OR true --", '\\', "'); DROP TABLE outbox.intents; --", '%', '$1'])
      for (const field of ['person', 'destination', 'workspace', 'operation', 'name', 'message'])
        expect(await op.preview('redrive', { [field]: value })).toMatchObject({ intents: '0' })
  })
})
