import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check, type Evidence, violations } from '../../src/cli/demo/evidence/check.ts'
import { type DemoResult, renderResult } from '../../src/cli/demo/evidence/report.ts'
import { painter } from '../../src/cli/output/format.ts'
import { runCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase('empty')
})
afterAll(() => db.drop())

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TIMEOUT = { timeout: 200_000 }

const tooWide = (lines: readonly string[]) => lines.filter((line) => [...line].length > 80)

test(
  'a shop, an outage and a killed relay: nothing is lost, nothing is invented, order holds',
  TIMEOUT,
  async () => {
    const { status, stdout, stderr } = await runCli(
      ['demo', '--intents', '2000', '--outage', '3', '--json'],
      {
        DATABASE_URL: db.url,
      },
    )
    const events = [
      'killed by SIGKILL',
      'supervisor restarts',
      'breaker opens',
      '2 of 2 relays are alive',
      'breaker closes',
    ]
    for (const event of events) expect(stderr).toContain(event)
    expect(tooWide(stderr.split('\n'))).toEqual([])
    // Every status line is one snapshot. Its dead letters are neither in the column delivered nor in the backlog.
    const sights = [...stderr.matchAll(/^ *[\d.]+ s +([\d,]+) +([\d,]+) +([\d,]+) +\d of \d/gm)].map(
      ([, ...columns]) => columns.map((column) => Number(column.replaceAll(',', ''))),
    )
    expect(sights.length).toBeGreaterThan(5)
    for (const [committed = 0, delivered = 0, backlog = 0] of sights) {
      expect(delivered + backlog).toBeLessThanOrEqual(committed)
      expect(delivered + backlog).toBeGreaterThanOrEqual(committed - 20)
    }
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({
      holds: true,
      failures: [],
      committed: { intents: 2_000 },
      findings: { lost: 0, phantom: 0, orderViolations: 0, appliedTwice: 0, unknown: 0, pending: 0 },
      relays: { alive: 2, of: 2, restarts: 1 },
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
  },
)

const hasScript = spawnSync('script', ['--version']).status === 0

test.skipIf(!hasScript)('on a terminal of 80 columns every line fits', TIMEOUT, async () => {
  const database = await createTestDatabase('empty')
  const command = `stty cols 80 rows 30; exec '${process.execPath}' '${MAIN}' demo --intents 500 --outage 4`
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm', DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [status] = await once(child, 'close')
  await database.drop()
  const lines = output
    .replaceAll('\u001b[1G', '\n') // the cursor goes to the first column
    .split(/[\r\n]+/)
    .map((line) => stripVTControlCharacters(line).trimEnd())
  for (const words of ['█', 'the outage ends', '2 of 2 alive', 'HOLDS']) expect(lines.join()).toContain(words)
  expect(tooWide(lines)).toEqual([])
  expect(status).toBe(0)
})

test('the result fits in 80 columns, whatever its numbers', () => {
  const many = 123_456
  const latency = { count: many, p50Ms: 3_723_000, p99Ms: 93_600_000 }
  const result: DemoResult = {
    holds: false,
    failures: Array(2).fill(
      '123,456 intents were delivered before an earlier one of the same person, or so it seems',
    ),
    committed: { intents: many, transactions: many },
    rolledBack: { intents: many, transactions: many },
    findings: {
      delivered: many,
      deadLettered: many,
      pending: many,
      lost: many,
      phantom: many,
      orderViolations: many,
      appliedTwice: many,
      unknown: many,
    },
    relays: { alive: 2, of: 2, restarts: 1 },
    duplicatesAtEnqueue: many,
    duplicatesByUlid: many,
    breakerTransitions: { 'closed → open': 10, 'open → half open': 123, 'half open → closed': 10 },
    latency: { all: latency, calm: latency },
    outageSeconds: 600,
    requests: many,
    postgres: 'container registry.example.com/a-team/postgres:18-alpine',
    seconds: 1_234.5,
  }
  const plain = painter(new PassThrough() as unknown as NodeJS.WriteStream)
  expect(tooWide(renderResult(result, plain).split('\n'))).toEqual([])
  expect(tooWide(renderResult({ ...result, holds: true }, plain).split('\n'))).toEqual([])
})

test('the demo refuses a schema that an app uses', async () => {
  const used = await createTestDatabase()
  await used.pool.query(`SELECT outbox.enqueue('identify', '{"customerId": "u1"}')`)
  const { status, stderr } = await runCli(['demo'], { DATABASE_URL: used.url })
  expect(stderr).toMatch(/^customerio-outbox: schema "outbox" has intents of an app, .*\n$/)
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
      ['1 rolled-back or duplicate intents were delivered'],
    ],
    [
      'one that was a duplicate',
      evidence(['r1', 'again', 'r2', 'r3']),
      ['1 rolled-back or duplicate intents were delivered'],
    ],
    [
      'two swapped',
      evidence(['r2', 'r1', 'r3']),
      ['1 intents were delivered before an earlier one of the same person'],
    ],
    ['an event twice', evidence(['r1', 'r2', 'r2', 'r3']), ['1 events took effect twice']],
    [
      'one of no transaction',
      evidence(['r1', 'r2', 'r3', 'who']),
      ['1 operations arrived that no transaction enqueued'],
    ],
  ])('%s', (_, given, found) => expect(violations(check(given))).toEqual(found))

  test('an update may be applied again', () => {
    const again = evidence(['r1', 'r2', 'r3'])
    const applied = [...again.applied, { ref: 'r1', isEvent: false, at: 0 }]
    expect(violations(check({ ...again, applied }))).toEqual([])
  })
})
