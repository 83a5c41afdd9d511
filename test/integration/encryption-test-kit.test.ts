import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox, intents } from '../../src/index.ts'
import { deliverInto, enqueued, expectEnqueued, startFakeCustomerIo } from '../../src/testing/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { newKey, ringText } from '../support/encryption.ts'

const keys = ringText(newKey('k1'))
const outbox = createOutbox({ encryption: { keys } })

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

test('the test kit sees encrypted intents with the keys, and names what is missing without them', async () => {
  await db.transaction(async (tx) => {
    await outbox.enqueue(tx, intents.track('u1', 'order_placed', { total: 42 }), { orderingKey: 'account-7' })
    await outbox.enqueue(tx, intents.destroy('u2'))
    await expectEnqueued(tx, { operation: 'track', name: 'order_placed', data: { total: 42 } }, { keys })
    expect(await enqueued(tx, {}, { keys })).toMatchObject([
      { customerId: 'u1', orderingKey: 'account-7', workspace: 'default' },
      { operation: 'destroy', customerId: 'u2' },
    ])
    expect(Object.keys((await enqueued(tx, {}, { keys }))[0] ?? {})).not.toContain('format')
    await expect(enqueued(tx)).rejects.toThrow('got no keys: pass { keys } as options')
    const others = ringText(newKey('k2'))
    await expect(enqueued(tx, {}, { keys: others })).rejects.toThrow(
      'got no key k1: pass { keys } as options',
    )
    await expect(enqueued(tx, {}, { keys: ringText(newKey('k1')) })).rejects.toThrow('got other keys')
  })
})

test('deliverInto sends encrypted intents with the keys, and leaves them in the queue without', async () => {
  await using fake = await startFakeCustomerIo()
  expect(await deliverInto(fake, { from: db.url })).toMatchObject({ delivered: 0, pending: 2 })
  expect(await deliverInto(fake, { from: db.url, encryption: { keys } })).toMatchObject({
    delivered: 2,
    pending: 0,
  })
  expect(fake.applied.map(({ action }) => action).sort()).toEqual(['delete', 'event'])
})
