import { expect, test } from 'vitest'
import { Horizon } from '../../src/relay/horizon.ts'
import type { WriteHorizon } from '../../src/store/read-horizon.ts'

/** A horizon that reads what it is given, and a clock of its own. */
function horizonOf() {
  let now = 0
  let next: WriteHorizon = { lastSeq: 0n, writers: [] }
  const horizon = new Horizon(
    async () => next,
    () => now,
  )
  const move = async (lastSeq: bigint, ...writers: WriteHorizon['writers']) => {
    now += 500
    next = { lastSeq, writers }
    await horizon.advance()
    return { safe: horizon.safe, ...horizon.passed }
  }
  return move
}

test('with no open writer everything drawn is safe', async () => {
  const move = horizonOf()
  expect(await move(10n)).toEqual({ safe: 10n, to: 10n, unless: [] })
})

test('waits for every writer that was open when the number was read, and for no later one', async () => {
  const move = horizonOf()
  await move(10n)
  expect(await move(20n, { id: 'a', xid: '1' })).toMatchObject({ safe: 10n, to: 10n })
  expect(await move(30n, { id: 'a', xid: '1' }, { id: 'b', xid: '2' })).toMatchObject({ safe: 10n, to: 10n })
  expect(await move(40n, { id: 'b', xid: '2' })).toMatchObject({ safe: 20n, to: 20n, unless: [] })
})

test('goes past a writer that stays open, and names it until it is gone', async () => {
  const move = horizonOf()
  const left = { id: 'left', xid: '7' }
  await move(10n)
  await move(20n, left)
  await move(30n, left, { id: 'b', xid: '8' })
  expect(await move(40n, left)).toEqual({ safe: 10n, to: 40n, unless: ['7'] })
  expect(await move(50n, left, { id: 'c', xid: '9' })).toEqual({ safe: 10n, to: 40n, unless: ['7'] })
  expect(await move(60n, left, { id: 'd', xid: '10' })).toEqual({ safe: 10n, to: 50n, unless: ['7'] })
  expect((await move(70n, { id: 'd', xid: '10' })).safe).toBe(20n)
  expect(await move(80n)).toEqual({ safe: 80n, to: 80n, unless: [] })
})

test('does not go past a writer whose number is not known yet', async () => {
  const move = horizonOf()
  await move(10n)
  for (let seq = 20n; seq < 100n; seq += 10n) {
    expect(await move(seq, { id: 'mute' })).toEqual({ safe: 10n, to: 10n, unless: [] })
  }
})

test('a transaction that is prepared is recovered goes on under another id, and is waited for', async () => {
  const move = horizonOf()
  await move(10n)
  await move(20n, { id: '3/45', xid: '7' })
  expect(await move(30n, { id: '-1/7', xid: '7' })).toMatchObject({ safe: 10n, to: 10n })
  await move(40n, { id: '-1/7', xid: '7' })
  expect(await move(50n, { id: '-1/7', xid: '7' })).toMatchObject({ safe: 10n, unless: ['7'] })
  expect(await move(60n)).toMatchObject({ safe: 60n, to: 60n, unless: [] })
})
