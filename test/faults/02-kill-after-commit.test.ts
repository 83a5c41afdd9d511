/**
 * The test fails if the dispatcher only waits for notifications (an hour instead of the poll interval): the fake receives
 * no request within 4 s.
 */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { track } from '../support/relay-harness.ts'
import { runApp } from './support/processes/app-process.ts'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('2: intents of an app that is killed after COMMIT, before any notification, are sent after the next poll', async () => {
  await s.child({ pollIntervalMs: 300 })
  await eventually('the relay to sleep', async () => (await idleFlag()) === '2')
  const heard: string[] = []
  const listener = new pg.Client({ connectionString: s.db.url })
  listener.on('error', () => {}) // the statement rejects with the same error
  await listener.connect()
  listener.on('notification', ({ payload }) => heard.push(payload ?? ''))
  await listener.query('LISTEN "outbox:wake"')

  // Clears the flag, as a relay does during a burst. Until a relay sets it again, commits do not notify.
  await s.db.rows("SELECT setval('outbox.notify_flag', 1)")
  const app = await runApp(s.db.url, [[{ intent: track('ada', 1) }, { intent: track('ada', 2) }]], 'killed')
  expect(app.signal).toBe('SIGKILL')
  await s.fake.until(({ counts }) => counts.applied === 2, { timeoutMs: 4_000 })
  await listener.query('SELECT 1') // notifications in flight arrive before this answer
  expect(heard).toEqual([])
  await listener.end()
  expect(s.fake.counts).toMatchObject({ applied: 2, duplicates: 0, outOfOrder: 0 })
})

async function idleFlag(): Promise<string | undefined> {
  const [flag] = await s.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.notify_flag')
  return flag?.last_value
}
