import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check, type Evidence, violations } from '../../src/cli/demo/evidence/check.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase('empty')
})
afterAll(() => db.drop())

test('a shop, an outage and a killed relay: nothing lost, nothing invented, in order', {
  timeout: 120_000,
}, async () => {
  const { status, stdout, stderr } = await runCli(['demo', '--intents', '2000', '--outage', '3', '--json'], {
    DATABASE_URL: db.url,
  })
  expect(stderr).toContain('is killed (SIGKILL)')
  const result = JSON.parse(stdout)
  expect(result).toMatchObject({
    holds: true,
    failures: [],
    committed: { intents: 2_000 },
    findings: { lost: 0, phantom: 0, orderViolations: 0, appliedTwice: 0, unknown: 0, pending: 0 },
    breakerTransitions: { 'closed → open': expect.any(Number), 'half open → closed': expect.any(Number) },
  })
  expect(status).toBe(0)
  expect(result.findings.delivered + result.findings.deadLettered).toBe(2_000)
  for (const some of [result.rolledBack.intents, result.duplicatesAtEnqueue, result.duplicatesByUlid]) {
    expect(some).toBeGreaterThan(0)
  }
  expect(stdout + stderr).not.toContain(new URL(db.url).href)
  const [counts] = await db.rows<{ expected: number; delivered: number; waiting: number }>(
    `SELECT (SELECT count(*)::int FROM outbox_demo.expected) AS expected,
            (SELECT count(*)::int FROM outbox.delivered) AS delivered,
            (SELECT count(*)::int FROM outbox.intents) AS waiting`,
  )
  expect(counts).toEqual({ expected: 2_000, delivered: result.findings.delivered, waiting: 0 })
  expect(await db.rows('SELECT 1 FROM outbox.relay_fleet')).toEqual([])
})

test('refuses a schema that an app uses', async () => {
  const used = await createTestDatabase()
  await used.pool.query(`SELECT outbox.enqueue('identify', '{"customerId": "u1"}')`)
  const { status, stderr } = await runCli(['demo'], { DATABASE_URL: used.url })
  expect(stderr).toMatch(/^customerio-outbox: intents of an app wait in the schema "outbox".*\n$/)
  expect(status).toBe(2)
  await used.drop()
})

describe('the check', () => {
  const expected = [1, 2, 3].map((n) => ({ ref: `r${n}`, personId: 'u1', position: n, isEvent: true }))
  const evidence = (refs: string[], more: Partial<Evidence> = {}): Evidence => ({
    expected,
    rolledBack: new Set(['undone']),
    duplicates: new Set(['again']),
    applied: refs.map((ref) => ({ ref, isEvent: true, at: 0 })),
    deadLettered: new Set(),
    pending: new Set(),
    ...more,
  })

  test.each<[string, Evidence, string[]]>([
    ['all in order', evidence(['r1', 'r2', 'r3']), []],
    [
      'one dead, one pending',
      evidence(['r2'], { deadLettered: new Set(['r1']), pending: new Set(['r3']) }),
      [],
    ],
    ['one lost', evidence(['r1', 'r3']), ['1 committed intents are lost']],
    [
      'one from a rollback',
      evidence(['r1', 'undone', 'r2', 'r3']),
      ['1 intents were delivered that were rolled back or duplicates'],
    ],
    [
      'one that was a duplicate',
      evidence(['r1', 'again', 'r2', 'r3']),
      ['1 intents were delivered that were rolled back or duplicates'],
    ],
    [
      'two swapped',
      evidence(['r2', 'r1', 'r3']),
      ['1 intents were delivered before an earlier one of the same person'],
    ],
    ['an event twice', evidence(['r1', 'r2', 'r2', 'r3']), ['1 events took effect twice']],
    [
      'one of nobody',
      evidence(['r1', 'r2', 'r3', 'who']),
      ['1 operations arrived that no transaction had asked for'],
    ],
  ])('%s', (_, given, found) => expect(violations(check(given))).toEqual(found))

  test('an update that is applied again is no event that took effect twice', () => {
    const again = evidence(['r1', 'r2', 'r3'])
    const applied = [...again.applied, { ref: 'r1', isEvent: false, at: 0 }]
    expect(violations(check({ ...again, applied }))).toEqual([])
  })
})
