import { expect, test } from 'vitest'
import { Linger } from '../../src/relay/turn/linger.ts'

function lingerThat(may: boolean) {
  const began: number[] = []
  const linger = new Linger(
    (readAt) => {
      began.push(readAt)
      return may
    },
    () => {},
  )
  return { linger, began }
}

test('a notification that came while the lane was worked, after it was read, is not waited for', async () => {
  const { linger } = lingerThat(true)
  const readAt = performance.now()
  linger.notified()
  const asked = performance.now()
  expect(await linger.forWork(readAt)).toBe(true)
  expect(performance.now() - asked).toBeLessThan(1_000) // it would linger for longer
  expect(linger.waits).toBe(false)
})

test('one that came before the lane was read is: what it told of was read', async () => {
  const { linger } = lingerThat(true)
  linger.notified()
  const waiting = linger.forWork(performance.now() + 1)
  expect(linger.waits).toBe(true)
  linger.wake()
  expect(await waiting).toBe(true)
})

test('a lane that is not to linger ends its turn, whatever it was told', async () => {
  const { linger, began } = lingerThat(false)
  const readAt = performance.now()
  linger.notified()
  expect(await linger.forWork(readAt)).toBe(false)
  expect(began).toEqual([readAt])
  expect(linger.waits).toBe(false)
})

test('it ends when the lane is to be handed back, also where that was said before', async () => {
  const { linger } = lingerThat(true)
  const waiting = linger.forWork(performance.now())
  linger.end()
  expect(await waiting).toBe(false)
  linger.notified()
  expect(await linger.forWork(0)).toBe(false)
})
