import { expect, test } from 'vitest'
import { Horizon } from '../../src/relay/turn/horizon.ts'
import type { WriteHorizon } from '../../src/store/lanes/read-horizon.ts'

/** A horizon that reads what it is given, and a clock of its own. */
function horizonOf() {
  let now = 0
  const rewound: bigint[] = []
  let next: WriteHorizon = { server: 'a', lastSeq: 0n, writers: [] }
  const horizon = new Horizon(
    async () => next,
    async ({ lastSeq }) => {
      rewound.push(lastSeq)
    },
    () => now,
  )
  const moveOn = async (server: string, lastSeq: bigint, ...writers: WriteHorizon['writers']) => {
    now += 500
    next = { server, lastSeq, writers }
    await horizon.advance()
    const { safe, passed } = horizon.on(server)
    return { safe, ...passed }
  }
  const move = (lastSeq: bigint, ...writers: WriteHorizon['writers']) => moveOn('a', lastSeq, ...writers)
  return Object.assign(move, { horizon, moveOn, rewound })
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

test('forgets everything when another server answers: its numbers are drawn anew', async () => {
  const { horizon, moveOn, rewound } = horizonOf()
  expect(await moveOn('a', 9_000n)).toMatchObject({ safe: 9_000n })
  expect(await moveOn('b', 4_000n, { id: 'w', xid: '7' })).toEqual({ safe: 0n, to: 0n, unless: [] })
  expect(horizon.on('a')).toEqual({ safe: 0n, passed: { to: 0n, unless: [] } })
  expect(await moveOn('b', 5_000n)).toMatchObject({ safe: 5_000n })
  expect(rewound).toEqual([])
})

test('forgets everything when numbers run backwards, and reports it', async () => {
  const { moveOn, rewound } = horizonOf()
  await moveOn('a', 9_000n)
  expect(await moveOn('a', 100n, { id: 'w', xid: '7' })).toEqual({ safe: 0n, to: 0n, unless: [] })
  expect(rewound).toEqual([9_000n])
})

test('a reading that began before a later one ended is no step back', async () => {
  const { horizon, moveOn, rewound } = horizonOf()
  await moveOn('a', 10n)
  const before = horizon.seen
  await moveOn('a', 20n)
  await horizon.compare({ server: 'a', lastSeq: 15n }, before)
  expect(rewound).toEqual([])
  expect(horizon.seen.lastSeq).toBe(20n)
})

test('a reading of the former server arrives after the new server has answered: it is dropped', async () => {
  const { promise, resolve } = Promise.withResolvers<WriteHorizon>()
  const horizon = new Horizon(
    () => promise,
    async () => {},
  )
  const moving = horizon.advance()
  resolve({ server: 'a', lastSeq: 9_000n, writers: [] })
  // At every step at which the reading may be taken over, the new server answers.
  for (let step = 0; step < 20; step++) {
    await Promise.resolve()
    void horizon.compare({ server: 'b', lastSeq: 50n }, horizon.seen)
  }
  await moving
  expect(horizon.on('b')).toEqual({ safe: 0n, passed: { to: 0n, unless: [] } })
})
