import { Sequelize } from 'sequelize'
import type { Library } from '../contract/library.ts'

export const sequelize: Library = {
  name: 'Sequelize 6',
  refusal: /got a Sequelize .*, use the transaction of sequelize\.transaction\(async \(transaction\) => …\)/,
  outside: ['the instance'],
  knowsItsEnd: true,
  async open(url) {
    const db = new Sequelize(url, { logging: false, pool: { max: 2 } })
    return {
      transaction: (work) =>
        db.transaction((transaction) =>
          work({
            tx: transaction,
            run: (statement) => db.query(statement, { transaction }),
            nested: (inner) => db.transaction({ transaction }, (deeper) => inner(deeper)),
          }),
        ),
      outside: { 'the instance': (check) => check(db) },
      close: () => db.close(),
    }
  },
}
