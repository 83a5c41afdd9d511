import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

const entity = (fields: object): Intent => ({
  operation: 'entity',
  entity: { type: 'object', action: 'identify', ...fields },
})

test.each<[Intent, string | null]>([
  [{ operation: 'destroy', customerId: '42' }, '42'],
  [{ operation: 'destroy', customerId: 42 }, '42'],
  [{ operation: 'destroy', customerId: 0 }, '0'],
  [{ operation: 'destroy', identifiers: { id: 42 } }, '42'],
  [{ operation: 'destroy', identifiers: { email: 'Jane@Example.com' } }, 'jane@example.com'],
  [{ operation: 'destroy', identifiers: { phone: '+45' } }, '+45'],
  [{ operation: 'destroy', identifiers: { cio_id: 'a3' } }, 'a3'],
  [{ operation: 'mergeCustomers', primary: { email: 'A@x' }, secondary: { id: 'b' } }, 'a@x'],
  [entity({ identifiers: { object_id: 'acme', object_type_id: '1' } }), '1/acme'],
  [entity({ identifiers: { cio_object_id: 'ob1' } }), 'ob1'],
  [entity({ type: 'person', identifiers: { email: 'a' } }), 'a'],
  [entity({ type: 'person', identifiers: { anonymous_id: 'anon' } }), 'anon'],
  [entity({ type: 'person', action: 'merge', primary: { id: 'a' }, secondary: { id: 'b' } }), 'a'],
  [entity({ type: 'delivery', identifiers: { id: 'd1' } }), 'd1'],
  [entity({ type: 'delivery' }), null],
])('the ordering key of %j is %s', async (intent, key) => {
  const [row] = await db.rows<{ key: string }>('SELECT outbox.ordering_key_of($1, $2) AS key', [
    intent.operation,
    JSON.stringify(toPayload(intent)),
  ])
  expect(row?.key).toBe(key)
})
