import { expect, test } from 'vitest'
import { WriteHorizon } from '../../src/relay/turn/write-horizon.ts'
import type { HorizonReading } from '../../src/store/lanes/read-horizon.ts'

/** A horizon whose readings the test provides, with a clock of its own. */
function horizonOf() {
  let now = 0
  const rewound: bigint[] = []
  let next: HorizonReading = { server: 'a', lastSeq: 0n, writers: [] }
  const horizon = new WriteHorizon(
    async () => next,
    async ({ lastSeq }) => {
      rewound.push(lastSeq)
    },
    () => now,
  )
  const moveOn = async (server: string, lastSeq: bigint, ...writers: HorizonReading['writers']) => {
    now += 500
    next = { server, lastSeq, writers }
    await horizon.advance()
    const { confirmed, provisional } = horizon.onServer(server)
    return { confirmed, ...provisional }
  }
  const move = (lastSeq: bigint, ...writers: HorizonReading['writers']) => moveOn('a', lastSeq, ...writers)
  return Object.assign(move, { horizon, moveOn, rewound })
}

test('with no open writer every drawn number is confirmed', async () => {
  const move = horizonOf()
  expect(await move(10n)).toEqual({ confirmed: 10n, seq: 10n, xids: [] })
})

test('the horizon waits for every writer that was open when the number was read, and for no later one', async () => {
  const move = horizonOf()
  await move(10n)
  expect(await move(20n, { id: 'a', xid: '1' })).toMatchObject({ confirmed: 10n, seq: 10n })
  expect(await move(30n, { id: 'a', xid: '1' }, { id: 'b', xid: '2' })).toMatchObject({
    confirmed: 10n,
    seq: 10n,
  })
  expect(await move(40n, { id: 'b', xid: '2' })).toMatchObject({ confirmed: 20n, seq: 20n, xids: [] })
})

test('the provisional watermark passes a writer that stays open, and names it until it ends', async () => {
  const move = horizonOf()
  const long = { id: 'long', xid: '7' }
  await move(10n)
  await move(20n, long)
  await move(30n, long, { id: 'b', xid: '8' })
  expect(await move(40n, long)).toEqual({ confirmed: 10n, seq: 40n, xids: ['7'] })
  expect(await move(50n, long, { id: 'c', xid: '9' })).toEqual({ confirmed: 10n, seq: 40n, xids: ['7'] })
  expect(await move(60n, long, { id: 'd', xid: '10' })).toEqual({ confirmed: 10n, seq: 50n, xids: ['7'] })
  expect((await move(70n, { id: 'd', xid: '10' })).confirmed).toBe(20n)
  expect(await move(80n)).toEqual({ confirmed: 80n, seq: 80n, xids: [] })
})

test('the provisional watermark does not pass a writer whose transaction id is unknown', async () => {
  const move = horizonOf()
  await move(10n)
  for (let seq = 20n; seq < 100n; seq += 10n) {
    expect(await move(seq, { id: 'mute' })).toEqual({ confirmed: 10n, seq: 10n, xids: [] })
  }
})

test('the horizon forgets everything when another server answers, because that server draws the same numbers again', async () => {
  const { horizon, moveOn, rewound } = horizonOf()
  expect(await moveOn('a', 9_000n)).toMatchObject({ confirmed: 9_000n })
  expect(await moveOn('b', 4_000n, { id: 'w', xid: '7' })).toEqual({ confirmed: 0n, seq: 0n, xids: [] })
  expect(horizon.onServer('a')).toEqual({ confirmed: 0n, provisional: { seq: 0n, xids: [] } })
  expect(await moveOn('b', 5_000n)).toMatchObject({ confirmed: 5_000n })
  expect(rewound).toEqual([])
})

test('the horizon forgets everything when numbers run backwards, and reports it', async () => {
  const { moveOn, rewound } = horizonOf()
  await moveOn('a', 9_000n)
  expect(await moveOn('a', 100n, { id: 'w', xid: '7' })).toEqual({ confirmed: 0n, seq: 0n, xids: [] })
  expect(rewound).toEqual([9_000n])
})

test('a lower reading that began earlier does not mean that numbers ran backwards', async () => {
  const { horizon, moveOn, rewound } = horizonOf()
  await moveOn('a', 10n)
  const before = horizon.lastReading
  await moveOn('a', 20n)
  await horizon.compare({ server: 'a', lastSeq: 15n }, before)
  expect(rewound).toEqual([])
  expect(horizon.lastReading.lastSeq).toBe(20n)
})

test('a reading of the former server that arrives after the new server has answered is dropped', async () => {
  const { promise, resolve } = Promise.withResolvers<HorizonReading>()
  const horizon = new WriteHorizon(
    () => promise,
    async () => {},
  )
  const moving = horizon.advance()
  resolve({ server: 'a', lastSeq: 9_000n, writers: [] })
  // At every step at which the reading may be applied, the new server answers.
  for (let step = 0; step < 20; step++) {
    await Promise.resolve()
    void horizon.compare({ server: 'b', lastSeq: 50n }, horizon.lastReading)
  }
  await moving
  expect(horizon.onServer('b')).toEqual({ confirmed: 0n, provisional: { seq: 0n, xids: [] } })
})
