import { expect, test } from 'vitest'
import { IdleFlag } from '../../src/relay/wake-up/idle-flag.ts'

function flagOf() {
  const said: boolean[] = []
  const lowered: number[] = []
  const clock = { now: 0, hears: true }
  const flag = new IdleFlag({
    set: async (idle) => void said.push(idle),
    hears: () => clock.hears,
    onLowered: () => void lowered.push(clock.now),
    onError: (error) => {
      throw error
    },
    clock: () => clock.now,
  })
  const hear = async (times: number, everyMs: number) => {
    for (let n = 0; n < times; n++) {
      clock.now += everyMs
      flag.heard(n)
      await flag.update(true)
    }
  }
  return { said, lowered, clock, flag, hear }
}

test('goes up with the first look, and asks for one more: what was committed before told nobody', async () => {
  const { flag, said } = flagOf()
  expect(await flag.update(false)).toBe(true)
  expect(await flag.update(false)).toBe(false)
  expect(said).toEqual([true])
})

test('is new for a moment: who looked at it before may commit a little later', async () => {
  const { flag, clock } = flagOf()
  expect(flag.isNew).toBe(false)
  await flag.update(false)
  clock.now += 199
  expect(flag.isNew).toBe(true)
  clock.now += 1
  expect(flag.isNew).toBe(false)
  clock.now += 10_000
  await flag.update(false) // said again
  expect(flag.isNew).toBe(false)
})

test('stays up, and is not said again and again, at 100 commits a second', async () => {
  const { flag, said, hear } = flagOf()
  await flag.update(false)
  await hear(400, 10)
  expect(said).toEqual([true])
  expect(flag.isUp).toBe(true)
})

test('goes down at a flood, and tells it, stays down while much is settled, and comes up after it', async () => {
  const { flag, said, lowered, hear, clock } = flagOf()
  await flag.update(false)
  await hear(50, 1)
  await flag.update(true)
  expect(said).toEqual([true, false])
  await new Promise(setImmediate) // it is told once the flag is written
  expect(lowered).toHaveLength(1)
  for (let n = 0; n < 200; n++) {
    clock.now += 10
    flag.settled(50)
    await flag.update(true)
  }
  expect(said).toEqual([true, false])
  clock.now += 299
  expect(await flag.update(false)).toBe(false)
  clock.now += 1
  expect(await flag.update(false)).toBe(true)
  expect(said).toEqual([true, false, true])
})

test('a transaction that notifies of many lanes is one commit', async () => {
  const { flag, said, clock } = flagOf()
  await flag.update(false)
  for (let commit = 0; commit < 20; commit++) {
    clock.now += 9
    for (let lane = 0; lane < 16; lane++) flag.heard(commit % 2)
  }
  await flag.update(true)
  expect(said).toEqual([true])
})

test('a flood of which nothing is settled is asked after less and less often', async () => {
  const { flag, said, hear, clock } = flagOf()
  await flag.update(false)
  while (clock.now < 20_000) {
    if (flag.isUp) await hear(50, 0.2)
    clock.now += 10
    await flag.update(true)
  }
  const raised = said.filter((idle) => idle).length
  expect(raised).toBeGreaterThan(5)
  expect(raised).toBeLessThan(20)
})

test('a relay that hears nothing asks for nothing, and takes down what it or another has left', async () => {
  const { flag, said, clock } = flagOf()
  await flag.update(false)
  clock.hears = false
  await flag.update(false)
  await flag.update(true)
  expect(said).toEqual([true, false])
  const deaf = flagOf()
  deaf.clock.hears = false
  await deaf.flag.update(false)
  expect(deaf.said).toEqual([])
  await deaf.flag.update(true)
  expect(deaf.said).toEqual([false])
})
