import { MikroORM } from '@mikro-orm/postgresql'
import type { Library } from '../contract/library.ts'

export const mikroOrm: Library = {
  name: 'MikroORM 7',
  refusal: /got a MikroORM .*, use the em of orm\.em\.transactional\(async \(em\) => …\)/,
  outside: ["the ORM's EntityManager", 'a fork'],
  knowsItsEnd: true,
  async open(url) {
    const orm = await MikroORM.init({
      clientUrl: url,
      entities: [],
      discovery: { warnWhenNoEntities: false },
      pool: { min: 0, max: 2 },
    })
    return {
      transaction: (work) =>
        orm.em.transactional((em) =>
          work({
            tx: em,
            run: (statement) => em.execute(statement),
            nested: (inner) => em.transactional((deeper) => inner(deeper)),
          }),
        ),
      outside: {
        "the ORM's EntityManager": (check) => check(orm.em),
        'a fork': (check) => check(orm.em.fork()),
      },
      close: () => orm.close(true),
    }
  },
}

/** `begin()` and `commit()` instead of a callback. */
export const mikroOrmExplicit: Library = {
  ...mikroOrm,
  name: 'MikroORM 7, begin() and commit()',
  outside: [],
  async open(url) {
    const orm = await MikroORM.init({
      clientUrl: url,
      entities: [],
      discovery: { warnWhenNoEntities: false },
      pool: { min: 0, max: 2 },
    })
    return {
      async transaction(work) {
        const em = orm.em.fork()
        await em.begin()
        try {
          const result = await work({ tx: em, run: (statement) => em.execute(statement) })
          await em.commit()
          return result
        } catch (error) {
          await em.rollback()
          throw error
        }
      },
      outside: {},
      close: () => orm.close(true),
    }
  },
}
