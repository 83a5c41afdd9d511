import postgres from 'postgres'
import type { Library } from '../contract/library.ts'

const open = (url: string) => postgres(url, { max: 2, onnotice: () => {}, transform: postgres.camel })

export const postgresJs: Library = {
  name: 'postgres.js 3.4',
  refusal: /got a postgres\.js or Bun .*, use the sql of sql\.begin\(async \(sql\) => …\)/,
  outside: ['sql', 'a reserved connection'],
  knowsItsEnd: false,
  async open(url) {
    const db = open(url)
    return {
      transaction: async (work) =>
        (await db.begin((sql) =>
          work({
            tx: sql,
            run: (statement) => sql.unsafe(statement),
            nested: (inner) => sql.savepoint((deeper) => inner(deeper)),
          }),
        )) as Awaited<ReturnType<typeof work>>,
      outside: {
        sql: (check) => check(db),
        'a reserved connection': async (check) => {
          const reserved = await db.reserve()
          await check(reserved).finally(() => reserved.release())
        },
      },
      close: () => db.end(),
    }
  },
}
