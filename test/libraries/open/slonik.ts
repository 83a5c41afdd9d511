import { createPool, type Interceptor, sql } from 'slonik'
import type { Library } from '../contract/library.ts'

export const slonik: Library = {
  name: 'Slonik 49',
  refusal: /got a Slonik .*, use the tx of pool\.transaction\(async \(tx\) => …\)/,
  outside: ['the pool', 'a connection'],
  knowsItsEnd: true,
  async open(url) {
    const pool = await createPool(url, { maximumPoolSize: 2, interceptors: [checksRows] })
    const raw = (statement: string) =>
      sql.unsafe(Object.assign([statement], { raw: Object.freeze([statement]) }))
    return {
      transaction: (work) =>
        pool.transaction((tx) =>
          work({
            tx,
            run: (statement) => tx.query(raw(statement)),
            nested: (inner) => tx.transaction((deeper) => inner(deeper)),
          }),
        ),
      outside: {
        'the pool': (check) => check(pool),
        'a connection': (check) => pool.connect((connection) => check(connection)),
      },
      close: () => pool.end(),
    }
  },
}

/** As the documentation of Slonik shows it: every row is checked by the schema of its statement. */
const checksRows: Interceptor = {
  name: 'checks-rows',
  async transformRowAsync({ resultParser }, _query, row) {
    if (!resultParser) return row
    const result = await resultParser['~standard'].validate(row)
    if (result.issues) throw new Error('a row does not match its schema')
    return result.value as typeof row
  },
}
