import { DataSource } from 'typeorm'
import type { Library } from '../contract/library.ts'

const open = (url: string) => new DataSource({ type: 'postgres', url, poolSize: 2 }).initialize()

const refusal = /got a TypeORM .*, use the manager of dataSource\.transaction\(async \(manager\) => …\)/

export const typeorm: Library = {
  name: 'TypeORM 1, EntityManager',
  refusal,
  outside: ['the DataSource', "the DataSource's manager"],
  knowsItsEnd: true,
  async open(url) {
    const dataSource = await open(url)
    return {
      transaction: (work) =>
        dataSource.transaction((manager) =>
          work({
            tx: manager,
            run: (statement) => manager.query(statement),
            nested: (inner) => manager.transaction(inner),
          }),
        ),
      outside: {
        'the DataSource': (check) => check(dataSource),
        "the DataSource's manager": (check) => check(dataSource.manager),
      },
      close: () => dataSource.destroy(),
    }
  },
}

export const typeormQueryRunner: Library = {
  name: 'TypeORM 1, QueryRunner',
  refusal,
  outside: ['a QueryRunner without a transaction', "a QueryRunner's manager"],
  knowsItsEnd: true,
  async open(url) {
    const dataSource = await open(url)
    const withRunner = async (
      check: (runner: ReturnType<DataSource['createQueryRunner']>) => Promise<void>,
    ) => {
      const runner = dataSource.createQueryRunner()
      try {
        await check(runner)
      } finally {
        await runner.release()
      }
    }
    return {
      async transaction(work) {
        const runner = dataSource.createQueryRunner()
        await runner.startTransaction()
        try {
          const result = await work({ tx: runner, run: (statement) => runner.query(statement) })
          await runner.commitTransaction()
          return result
        } catch (error) {
          await runner.rollbackTransaction()
          throw error
        } finally {
          await runner.release()
        }
      },
      outside: {
        'a QueryRunner without a transaction': (check) => withRunner(check),
        "a QueryRunner's manager": (check) => withRunner((runner) => check(runner.manager)),
      },
      close: () => dataSource.destroy(),
    }
  },
}
