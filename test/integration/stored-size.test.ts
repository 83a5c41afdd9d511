import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../../src/intent/json-types.ts'
import { jsonBytes } from '../../src/intent/size.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

/*
 * The relay cuts batches by the size that the database reports for a payload, as an upper bound of the size on the wire.
 * So jsonb must never write a value shorter than JSON.stringify does.
 */
test('no value has fewer bytes in the database than on the wire', async () => {
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(
      1e21,
      1e-7,
      1e-6,
      5e-324,
      Number.MAX_VALUE,
      2 ** 53,
      1 / 3,
      4.35,
      0,
      123_456_789_012_345_680_000,
    ),
  )
  const text = fc.string({ unit: 'binary', maxLength: 30 }).map((each) => each.replaceAll('\0', ''))
  const value = fc.dictionary(text, fc.oneof(number, text, fc.boolean(), fc.array(number, { maxLength: 4 })))
  const values = fc.sample(value, 2_000)
  const rows = await db.rows<{ size: number; text: string }>(
    `SELECT octet_length(j::text) AS size, j::text AS text
     FROM unnest($1::jsonb[]) WITH ORDINALITY AS v(j, n) ORDER BY n`,
    [values.map((each) => JSON.stringify(each))],
  )
  expect(rows).toHaveLength(values.length)
  const shorter = rows.filter(({ size, text }) => size < jsonBytes(JSON.parse(text) as Json))
  expect(shorter).toEqual([])
})
