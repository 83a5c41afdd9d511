import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox, type EnqueueOptions, type Intent } from '../../src/index.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { setNotifyFlag } from '../../src/store/fleet/set-notify-flag.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const outbox = createOutbox()
const intent: Intent = { operation: 'identify', customerId: 1 }

let db: TestDatabase
let listener: pg.Client
beforeAll(async () => {
  db = await createTestDatabase()
  listener = new pg.Client({ connectionString: db.url })
  await listener.connect()
  await listener.query('LISTEN "outbox:wake"')
})
afterAll(async () => {
  await listener.end()
  await db.drop()
})

/** Counts the wake-ups that `work` causes. The test's own notification, sent after `work`, marks the end. */
async function wakeUpsOf(notifyFlag: boolean, work: () => Promise<unknown>): Promise<number> {
  const relay = openDatabase({ connectionString: db.url })
  await setNotifyFlag(relay, notifyFlag)
  await relay.close()
  let wakeUps = 0
  const { promise: end, resolve } = Promise.withResolvers<void>()
  const onNotification = ({ payload }: pg.Notification) => {
    if (payload === 'end') resolve()
    else wakeUps++
  }
  listener.on('notification', onNotification)
  await work()
  await db.rows("SELECT pg_notify('outbox:wake', 'end')")
  await end
  listener.off('notification', onNotification)
  return wakeUps
}

const commit = (options: EnqueueOptions = {}) => db.transaction((tx) => outbox.enqueue(tx, intent, options))
const later = { sendAfter: new Date(Date.now() + 3_600_000) }

test('a transaction with several enqueues sends one wake-up while the notify flag is on', async () => {
  expect(await wakeUpsOf(true, () => commit())).toBe(1)
  const many = () =>
    db.transaction(async (tx) => {
      await outbox.enqueue(tx, intent)
      await outbox.enqueue(tx, [intent, intent])
      await outbox.enqueue(tx, intent)
    })
  expect(await wakeUpsOf(true, many)).toBe(1)
})

test('an array sends a wake-up too', async () => {
  expect(await wakeUpsOf(true, () => db.transaction((tx) => outbox.enqueue(tx, [intent])))).toBe(1)
})

test('no wake-up is sent while the notify flag is off', async () => {
  expect(await wakeUpsOf(false, () => commit())).toBe(0)
  expect(await wakeUpsOf(false, () => db.transaction((tx) => outbox.enqueue(tx, [intent])))).toBe(0)
})

test('a rollback sends no wake-up', async () => {
  const rollback = async () => {
    const tx = await db.begin()
    await outbox.enqueue(tx, intent)
    await tx.query('ROLLBACK')
    tx.release()
  }
  expect(await wakeUpsOf(true, rollback)).toBe(0)
})

test('a scheduled intent sends no wake-up', async () => {
  expect(await wakeUpsOf(true, () => commit(later))).toBe(0)
  expect(await wakeUpsOf(true, () => db.transaction((tx) => outbox.enqueue(tx, [intent], later)))).toBe(0)
})

test('a duplicate sends no wake-up', async () => {
  const key = { dedupKey: 'k' }
  expect(await wakeUpsOf(true, () => commit(key))).toBe(1)
  expect(await wakeUpsOf(true, () => commit(key))).toBe(0)
  const array = () => db.transaction((tx) => outbox.enqueue(tx, [intent], { dedupKey: () => 'k' }))
  expect(await wakeUpsOf(true, array)).toBe(0)
})
