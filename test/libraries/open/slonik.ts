import { createPool, sql } from 'slonik'
import type { Library } from '../contract/library.ts'

export const slonik: Library = {
  name: 'Slonik 49',
  refusal: /got a Slonik .*, use the tx of pool\.transaction\(async \(tx\) => …\)/,
  outside: ['the pool', 'a connection'],
  knowsItsEnd: true,
  async open(url) {
    const pool = await createPool(url, { maximumPoolSize: 2 })
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
