import { setImmediate, setTimeout } from 'node:timers/promises'
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

  // The app forgot to await the call. Its statement may come after the ROLLBACK, when the session is outside a transaction.
  test.each(['throw', 'ignore'] as const)(
    'with onError %s, a call that was not awaited stores nothing after the rollback',
    async (onError) => {
      const { transaction } = bench().library
      const waits = [async () => {}, () => setImmediate(), () => setTimeout(1), () => setTimeout(3)]
      for (const [n, wait] of [...waits, ...waits].entries()) {
        let call: Promise<unknown> = Promise.resolve()
        const failed = transaction(async ({ tx, run }) => {
          if (n >= waits.length) await run(`INSERT INTO orders VALUES ('not awaited ${n}')`)
          call = wait()
            .then(() => outbox.enqueue(tx, person('not awaited'), { onError }))
            .catch(() => {})
          throw new Error('the business refused')
        })
        await expect(failed).rejects.toThrow('the business refused')
        // postgres.js never answers a statement that it gets after the end of its transaction.
        await Promise.race([call, setTimeout(100)])
      }
      expect(await bench().intents('not awaited')).toEqual([])
      expect(await bench().orders()).not.toContain('not awaited 4')
    },
  )

  test('calls that run at the same time are stored in their order, and one that fails takes back no other', async () => {
    const ignored: Error[] = []
    const broken = createOutbox({ schema: 'not_migrated', onIgnored: (error) => void ignored.push(error) })
    await bench().library.transaction(async ({ tx, run }) => {
      await Promise.all([
        outbox.enqueue(tx, event('first')),
        broken.enqueue(tx, event('broken'), { onError: 'ignore' }),
        outbox.enqueue(tx, [event('second'), event('third')]),
        outbox.enqueue(tx, event('fourth'), { onError: 'ignore' }),
      ])
      await run("INSERT INTO orders VALUES ('concurrent')")
    })
    const names = (await bench().intents('savepoint')).map(({ payload }) => JSON.parse(String(payload)).name)
    expect(names.slice(-4)).toEqual(['first', 'second', 'third', 'fourth'])
    expect(ignored).toMatchObject([{ code: '3F000' }])
    expect(await bench().orders()).toContain('concurrent')
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
    expect(names.slice(-2)).toEqual(['before', 'after'])
  })
}
