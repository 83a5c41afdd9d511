import { beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type Intent, InvalidOptionError, NotATransactionError } from '../../../src/index.ts'
import type { Bench } from './bench.ts'

const intent: Intent = { operation: 'identify', customerId: 'SECRET-ID', attributes: { pin: 'SECRET-PIN' } }
const invalid: Intent = { operation: 'track', customerId: 'u1', name: '' }

/** An error of `enqueue` is the database's own, and `onError: 'ignore'` keeps it from the business write. */
export function ignoresErrors(bench: () => Bench): void {
  let ignored: Error[] = []
  const onIgnored = (error: Error) => void ignored.push(error)
  const outbox = createOutbox({ onIgnored })
  const broken = createOutbox({ onIgnored, schema: 'not_migrated' })

  describe('errors', () => {
    beforeEach(async () => {
      ignored = []
      await bench().reset()
    })

    test.each([
      ['an intent', intent],
      ['an array', [intent]],
    ])('enqueue of %s throws the error of the database, without data of the customer', async (_, given) => {
      const { transaction } = bench().library
      let thrown: (Error & { code?: string }) | undefined
      const failed = transaction(async ({ tx }) => {
        thrown = await broken.enqueue(tx, given as Intent).catch((error) => error)
        throw thrown
      })
      await expect(failed).rejects.toThrow()
      expect(thrown?.code).toBe('3F000')
      expect(thrown?.message).toBe('schema "not_migrated" does not exist')
      expect(thrown).toBeInstanceOf(Error)
      expect(everythingIn(thrown)).not.toContain('SECRET')
    })

    test('an invalid intent is left out: the business write commits, and the error is reported once', async () => {
      const [single, many] = await bench().library.transaction(async ({ tx, run }) => {
        await run("INSERT INTO orders VALUES ('before')")
        const single = await outbox.enqueue(tx, invalid, { onError: 'ignore' })
        const many = await outbox.enqueue(tx, [intent, invalid], { onError: 'ignore' })
        await run("INSERT INTO orders VALUES ('after')")
        return [single, many] as const
      })
      expect(await bench().orders()).toEqual(['after', 'before'])
      expect(await bench().countIntents()).toBe(0)
      expect(ignored.map(({ name }) => name)).toEqual(['InvalidIntentError', 'InvalidIntentError'])
      expect(single).toEqual({ duplicate: false, error: ignored[0] })
      expect(many).toEqual([
        { duplicate: false, error: ignored[1] },
        { duplicate: false, error: ignored[1] },
      ])
    })

    test('after an error of the database only the enqueue is rolled back: the business write commits', async () => {
      const [single, many] = await bench().library.transaction(async ({ tx, run }) => {
        await run("INSERT INTO orders VALUES ('before')")
        const single = await broken.enqueue(tx, intent, { onError: 'ignore' })
        await outbox.enqueue(tx, { operation: 'destroy', customerId: 'u1' })
        const many = await broken.enqueue(tx, [intent, intent], { onError: 'ignore' })
        await run("INSERT INTO orders VALUES ('after')")
        return [single, many] as const
      })
      expect(await bench().orders()).toEqual(['after', 'before'])
      expect((await bench().intents('u1')).map(({ operation }) => operation)).toEqual(['destroy'])
      expect(await bench().countIntents()).toBe(1)
      expect(ignored).toMatchObject([{ code: '3F000' }, { code: '3F000' }])
      expect(ignored.map(everythingIn).join()).not.toContain('SECRET')
      expect(single.error).toBe(ignored[0])
      expect(many.map(({ error }) => error)).toEqual([ignored[1], ignored[1]])
    })

    test("with 'ignore' a valid intent is enqueued, and a later rollback removes it", async () => {
      const options = { onError: 'ignore', dedupKey: 'k' } as const
      const { transaction } = bench().library
      const results = await transaction(async ({ tx }) => [
        await outbox.enqueue(tx, intent, options),
        await outbox.enqueue(tx, intent, options),
      ])
      expect(results.map(({ duplicate, id }) => ({ duplicate, id }))).toEqual([
        { duplicate: false, id: results[0]?.id },
        { duplicate: true, id: results[0]?.id },
      ])
      await expect(
        transaction(async ({ tx }) => {
          await outbox.enqueue(tx, intent, { onError: 'ignore' })
          throw new Error('the business refused')
        }),
      ).rejects.toThrow('the business refused')
      expect(await bench().countIntents()).toBe(1)
      expect(ignored).toEqual([])
    })

    test('a mistake in the calling code is thrown, and the transaction goes on', async () => {
      const ignore = { onError: 'ignore' } as const
      await bench().library.transaction(async ({ tx, run }) => {
        const misuse = outbox.enqueue({} as never, intent, ignore)
        await expect(misuse).rejects.toBeInstanceOf(NotATransactionError)
        const emptyKey = outbox.enqueue(tx, intent, { ...ignore, dedupKey: '' })
        await expect(emptyKey).rejects.toBeInstanceOf(InvalidOptionError)
        const dedupKey = () => (undefined as unknown as string).trim()
        await expect(outbox.enqueue(tx, [intent], { ...ignore, dedupKey })).rejects.toBeInstanceOf(TypeError)
        await run("INSERT INTO orders VALUES ('after')")
      })
      expect(await bench().orders()).toEqual(['after'])
      expect(await bench().countIntents()).toBe(0)
      expect(ignored).toEqual([])
    })

    test("without 'ignore' the same errors are thrown and onIgnored is not called", async () => {
      const { transaction } = bench().library
      await expect(transaction(({ tx }) => outbox.enqueue(tx, invalid))).rejects.toThrow('name is empty')
      await expect(transaction(({ tx }) => broken.enqueue(tx, intent))).rejects.toMatchObject({
        code: '3F000',
      })
      expect(ignored).toEqual([])
    })
  })
}

/** Every text of an error: message, stack and fields, also hidden ones, and those of its causes. */
function everythingIn(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null || depth > 5) return String(value)
  return Object.getOwnPropertyNames(value)
    .map((name) => `${name}: ${everythingIn((value as Record<string, unknown>)[name], depth + 1)}`)
    .join('\n')
}
