import type { Database } from '../../store/connection/database.ts'
import { namesOf } from '../../store/names.ts'
import type { PgliteLike } from '../pglite.ts'

/** The types that pg returns as text and PGlite does not: int8 and its arrays. */
const INT8 = 20
const INT8_ARRAY = 1016

const PARSERS = {
  [INT8]: (text: string) => text,
  [INT8_ARRAY]: (text: string) => text.slice(1, -1).split(',').filter(Boolean),
}

/** A database of the relay's statements over PGlite. `close` leaves the PGlite open, because the test owns it. */
export function pgliteDatabase(pglite: PgliteLike, schema: string | undefined): Database {
  return {
    names: namesOf(schema),
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await pglite.query<Row>(text, [...values], { parsers: PARSERS })).rows,
    queryArrays: async <Row extends unknown[]>(text: string, values: readonly unknown[] = []) =>
      (await pglite.query<Row>(text, [...values], { parsers: PARSERS, rowMode: 'array' })).rows,
    close: async () => {},
  }
}
