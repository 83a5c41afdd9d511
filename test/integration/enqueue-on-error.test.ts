import pg from 'pg'
import { expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { createTestDatabase } from '../support/database.ts'

const intent: Intent = { operation: 'identify', customerId: 'u1', attributes: { pin: 'SECRET' } }

test('an error of onIgnored does not fail the call', async () => {
  const db = await createTestDatabase()
  const failing = [
    () => {
      throw new Error('logger')
    },
    async () => {
      throw new Error('logger')
    },
  ]
  for (const onIgnored of failing) {
    const { promise, resolve } = Promise.withResolvers<Error>()
    process.once('warning', resolve)
    const broken = createOutbox({ schema: 'not_migrated', onIgnored })
    const result = await db.transaction((tx) => broken.enqueue(tx, intent, { onError: 'ignore' }))
    expect(result.error).toMatchObject({ code: '3F000' })
    expect((await promise).message).toBe('onIgnored has thrown an error')
  }
  await db.drop()
})

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

test('an error keeps its hint, and loses detail and context, which may quote a row', async () => {
  const db = await createTestDatabase()
  await db.rows(`CREATE SCHEMA quoting`)
  await db.rows(`
    CREATE FUNCTION quoting.enqueue_wire(text, text, text, text, attributes text, bigint) RETURNS text
    LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'refused' USING ERRCODE = '23514', DETAIL = attributes, HINT = 'Ask the operator.';
    END $$`)
  const error = await db
    .transaction((tx) => createOutbox({ schema: 'quoting' }).enqueue(tx, intent))
    .catch((caught: unknown) => caught)
  expect(error).toMatchObject({ message: 'refused', code: '23514', hint: 'Ask the operator.' })
  expect(error).toBeInstanceOf(pg.DatabaseError)
  expect(JSON.stringify(error)).not.toMatch(/SECRET|detail|where/)
  await db.drop()
})
