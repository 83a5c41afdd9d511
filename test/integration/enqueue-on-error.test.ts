import { expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { createTestDatabase } from '../support/database.ts'

const intent: Intent = { operation: 'identify', customerId: 'u1', attributes: { pin: 'SECRET' } }

test('without onIgnored, Node emits a warning without the payload', async () => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  process.once('warning', resolve)
  const db = await createTestDatabase()
  await db.transaction((tx) =>
    createOutbox({ schema: 'not_migrated' }).enqueue(tx, intent, { onError: 'ignore' }),
  )
  const warning = await promise
  expect(warning.name).toBe('CustomerioOutboxWarning')
  expect(warning.message).toContain('schema "not_migrated" does not exist')
  expect(warning.message).not.toContain('SECRET')
  await db.drop()
})
