import { expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../../src/index.ts'
import { type Bench, takenBack } from './bench.ts'

const person = (customerId: string): Intent => ({ operation: 'identify', customerId })
const event = (name: string): Intent => ({ operation: 'track', customerId: 'savepoint', name })

/** The intent shares the fate of the business write. */
export function rollsBack(bench: () => Bench): void {
  const outbox = createOutbox()

  test.each(['before', 'after'])(
    'a commit keeps the business write %s the intent, and the intent',
    async (when) => {
      const id = `committed ${when}`
      await bench().library.transaction(async ({ tx, run }) => {
        if (when === 'before') await run(`INSERT INTO orders VALUES ('${id}')`)
        await outbox.enqueue(tx, person(id))
        if (when === 'after') await run(`INSERT INTO orders VALUES ('${id}')`)
      })
      expect(await bench().orders()).toContain(id)
      expect(await bench().intents(id)).toHaveLength(1)
    },
  )

  test('a rollback leaves nothing, not even the dedup key', async () => {
    const options = { dedupKey: 'rolled back' }
    const { transaction } = bench().library
    await expect(
      transaction(async ({ tx, run }) => {
        await outbox.enqueue(tx, person('rollback'), options)
        await run("INSERT INTO orders VALUES ('rolled back')")
        await outbox.enqueue(tx, [person('rollback')])
        throw new Error('the business refused')
      }),
    ).rejects.toThrow('the business refused')
    expect(await bench().intents('rollback')).toEqual([])
    expect(await bench().orders()).not.toContain('rolled back')
    const again = await transaction(({ tx }) => outbox.enqueue(tx, person('rollback'), options))
    expect(again.duplicate).toBe(false)
  })

  test('a rollback to a savepoint removes only the intents that were enqueued after the savepoint', async () => {
    const options = { dedupKey: 'taken back' }
    const again = await bench().library.transaction(async (app) => {
      await outbox.enqueue(app.tx, event('before'))
      await takenBack(app, async (inner) => {
        await outbox.enqueue(inner, event('inside'), options)
        await outbox.enqueue(inner, [event('inside too')])
      })
      return outbox.enqueue(app.tx, event('after'), options)
    })
    expect(again.duplicate).toBe(false)
    const names = (await bench().intents('savepoint')).map(({ payload }) => JSON.parse(String(payload)).name)
    expect(names).toEqual(['before', 'after'])
  })
}
