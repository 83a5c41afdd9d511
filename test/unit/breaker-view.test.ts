import { expect, test } from 'vitest'
import { SharedState } from '../../src/relay/breaker/shared-state.ts'
import type { BreakerRow } from '../../src/store/breakers/read-breakers.ts'

const HALF_OPEN = {
  destination: 'default/track',
  state: 'half_open',
  probeRelay: 'me',
  probeLeftMs: 30_000,
} as BreakerRow

test('a row that was read before a change was in it does not undo the change', async () => {
  const view = new SharedState('me', () => 0)
  view.apply(HALF_OPEN, view.generation)
  const committed = Promise.withResolvers<boolean>()
  const closing = view.close(() => committed.promise)
  const readSince = view.generation // a look begins, and does not see it yet
  committed.resolve(true)
  expect(await closing).toBe(true)
  view.apply(HALF_OPEN, readSince)
  expect(view).toMatchObject({ state: 'closed', stale: true })
  expect(view.eligibility()).toBe('all')
  view.apply({ ...HALF_OPEN, state: 'closed', probeRelay: null } as BreakerRow, view.generation)
  expect(view).toMatchObject({ state: 'closed', stale: false })
})
