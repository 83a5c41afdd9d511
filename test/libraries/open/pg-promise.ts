import createPgPromise from 'pg-promise'
import type { Library } from '../contract/library.ts'

const connect = createPgPromise({ noWarnings: true, receive: ({ data }) => data.forEach(Object.freeze) })

export const pgPromise: Library = {
  name: 'pg-promise 12',
  refusal: /got a pg-promise .*, use the t of db\.tx\(async \(t\) => …\)/,
  outside: ['the database', 'a task'],
  knowsItsEnd: true,
  async open(url) {
    const db = connect({ connectionString: url, max: 2 })
    return {
      transaction: (work) =>
        db.tx((t) =>
          work({
            tx: t,
            run: (statement) => t.none(statement),
            nested: (inner) => t.tx((deeper) => inner(deeper)),
          }),
        ),
      outside: {
        'the database': (check) => check(db),
        'a task': (check) => db.task((task) => check(task)),
      },
      close: () => db.$pool.end(),
    }
  },
}
