import { describe, expect, test } from 'vitest'
import { createOutbox, type Intent, NotATransactionError, type Transaction } from '../../../src/index.ts'
import type { Bench } from './bench.ts'
import type { Library } from './library.ts'

const intent: Intent = { operation: 'identify', customerId: 'u1' }

/** Everything but an open transaction is refused, and nothing is written. */
export function refuses(library: Library, bench: () => Bench): void {
  const ignored: Error[] = []
  const outbox = createOutbox({ onIgnored: (error) => ignored.push(error) })

  async function expectRefusal(handle: unknown, message: RegExp): Promise<void> {
    const tx = handle as Transaction
    const calls = [
      () => outbox.enqueue(tx, intent, { dedupKey: 'k' }),
      () => outbox.enqueue(tx, [intent]),
      () => outbox.enqueue(tx, intent, { onError: 'ignore' }),
      () => outbox.enqueue(tx, [intent], { onError: 'ignore' }),
    ]
    for (const call of calls) {
      const error = await call().catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(NotATransactionError)
      expect((error as Error).message).toMatch(message)
    }
    expect(ignored).toEqual([])
  }

  describe('refuses', () => {
    for (const name of library.outside) {
      test(`${name}, and writes nothing`, async () => {
        await bench().reset()
        const lend = bench().library.outside[name]
        expect(lend).toBeDefined()
        await lend?.((handle) => expectRefusal(handle, library.refusal))
        expect(await bench().countIntents()).toBe(0)
      })
    }

    test.each(['committed', 'rolled back'])('a transaction that was %s, and writes nothing', async (end) => {
      await bench().reset()
      let ended: Transaction | undefined
      const finished = bench().library.transaction(async ({ tx, run }) => {
        ended = tx
        await run("INSERT INTO orders VALUES ('1')")
        if (end === 'rolled back') throw new Error('the business refused')
      })
      await finished.catch((error: Error) => expect(error.message).toContain('the business refused'))
      await expectRefusal(ended, library.refusal)
      expect(await bench().countIntents()).toBe(0)
      expect(await bench().orders()).toEqual(end === 'committed' ? ['1'] : [])
    })

    if (library.knowsItsEnd) {
      test('a transaction that has ended, while its connection is in another one', async () => {
        await bench().reset()
        const { transaction } = bench().library
        let ended: Transaction | undefined
        await transaction(async ({ tx }) => {
          ended = tx
        })
        await transaction(async ({ tx, run }) => {
          await run("INSERT INTO orders VALUES ('1')")
          await expectRefusal(ended, library.refusal)
          await outbox.enqueue(tx, intent)
        })
        expect(await bench().countIntents()).toBe(1)
      })
    }

    test('a transaction in which a statement has failed', async () => {
      await bench().reset()
      const failed = bench().library.transaction(async ({ tx, run }) => {
        await expect(run('SELECT 1/0')).rejects.toThrow()
        await expectRefusal(tx, /got one in which a statement has failed: roll it back/)
        throw new Error('the business gives up')
      })
      await expect(failed).rejects.toThrow()
      expect(await bench().countIntents()).toBe(0)
    })
  })
}
