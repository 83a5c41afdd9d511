import { beforeEach, describe, expect, test } from 'vitest'
import { createOutbox, type Intent, intents } from '../../../src/index.ts'
import { enqueued, expectEnqueued, expectNothingEnqueued } from '../../../src/testing/index.ts'
import { type Bench, takenBack } from './bench.ts'

const outbox = createOutbox()
const order: Intent = { operation: 'track', customerId: 'u1', name: 'order_placed', data: { total: 99 } }

/** The test kit shows what the open transaction stored. */
export function showsEnqueued(bench: () => Bench): void {
  describe('the test kit', () => {
    beforeEach(() => bench().reset())

    test('shows what the open transaction stored, in order, and nothing of earlier ones', async () => {
      const { transaction } = bench().library
      await transaction(({ tx }) => outbox.enqueue(tx, intents.track('u0', 'earlier')))
      await transaction(async ({ tx }) => {
        await expectNothingEnqueued(tx)
        const first = await outbox.enqueue(tx, order, { dedupKey: 'order:1', priority: 'bulk' })
        await outbox.enqueue(tx, [intents.suppress('u2'), intents.identify('u3', { plan: 'pro' })])
        const operations = (await enqueued(tx)).map(({ operation }) => operation)
        expect(operations).toEqual(['track', 'suppress', 'identify'])
        expect(await expectEnqueued(tx, { operation: 'track' })).toStrictEqual({
          ...order,
          id: first.id,
          dedupKey: 'order:1',
          orderingKey: 'u1',
          workspace: 'default',
          priority: 'bulk',
          onAmbiguous: 'park',
          sendAfter: null,
          expiresAt: null,
        })
      })
    })

    test('does not show what was rolled back to a savepoint', async () => {
      await bench().library.transaction(async (app) => {
        await outbox.enqueue(app.tx, intents.track('u1', 'kept'))
        await takenBack(app, async (inner) => {
          await outbox.enqueue(inner, intents.track('u1', 'taken_back'))
          await expectEnqueued(inner, { name: 'taken_back' })
          expect(await enqueued(inner)).toHaveLength(2)
        })
        expect(await enqueued(app.tx, { operation: 'track' })).toMatchObject([{ name: 'kept' }])
      })
    })
  })
}
