import { expect, test } from 'vitest'
import { RateLimiter } from '../../src/relay/destination/rate-limiter.ts'

function limiterOver(answers: number[], requests = 250) {
  const draws: number[] = []
  const limiter = new RateLimiter({ requests, perMs: 1_000 }, async (count) => {
    draws.push(count)
    return answers.shift() ?? 0
  })
  return { limiter, draws }
}

test('a draw takes a fiftieth of a second’s tokens, and the last of them starts the next draw', async () => {
  const { limiter, draws } = limiterOver([])
  for (let n = 0; n < 4; n++) expect(await limiter.acquire()).toBe(0)
  expect(draws).toEqual([5])
  for (let n = 4; n < 12; n++) expect(await limiter.acquire()).toBe(0)
  expect(draws).toEqual([5, 5, 5])
})

test('a draw in advance that fails, or must wait, does not affect a caller: the next caller draws again', async () => {
  const answers: (() => Promise<number>)[] = [
    async () => 0,
    () => Promise.reject(new Error('no database')),
    async () => 0,
    async () => 70,
    async () => 0,
  ]
  const limiter = new RateLimiter(
    { requests: 100, perMs: 1_000 },
    () => answers.shift()?.() ?? Promise.resolve(90),
  )
  for (let n = 0; n < 4; n++) {
    expect(await limiter.acquire()).toBe(0)
    await new Promise(setImmediate)
  }
  expect(answers).toHaveLength(1)
  expect(await limiter.acquire()).toBe(0)
})

test('tokens of a low limit are drawn one by one', async () => {
  const { limiter, draws } = limiterOver([], 20)
  for (let n = 0; n < 3; n++) await limiter.acquire()
  expect(draws).toEqual([1, 1, 1])
})

test('concurrent callers share a draw, and get no more tokens than were drawn', async () => {
  const { limiter, draws } = limiterOver([0, 250])
  const waits = await Promise.all(Array.from({ length: 8 }, () => limiter.acquire()))
  expect(waits.filter((wait) => wait === 0)).toHaveLength(5)
  expect(waits.filter((wait) => wait === 250)).toHaveLength(3)
  expect(draws).toEqual([5, 5])
})

test('a wait is returned, and the next caller draws again', async () => {
  const { limiter, draws } = limiterOver([40, 0])
  expect(await limiter.acquire()).toBe(40)
  expect(await limiter.acquire()).toBe(0)
  expect(draws).toHaveLength(2)
})

test('a draw that fails is an error for its callers, and the next caller draws again', async () => {
  let fails = true
  const limiter = new RateLimiter({ requests: 250, perMs: 1_000 }, async () => {
    if (fails) throw new Error('no database')
    return 0
  })
  await expect(limiter.acquire()).rejects.toThrow('no database')
  fails = false
  expect(await limiter.acquire()).toBe(0)
})

test('a token that is released goes to the next caller', async () => {
  const { limiter, draws } = limiterOver([0, 250, 250])
  for (let n = 0; n < 5; n++) expect(await limiter.acquire()).toBe(0)
  limiter.release()
  expect(await limiter.acquire()).toBe(0)
  expect(await limiter.acquire()).toBe(250)
  expect(draws).toEqual([5, 5, 5])
})
