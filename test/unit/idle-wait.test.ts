import { expect, test } from 'vitest'
import { IdleWait } from '../../src/relay/turn/idle-wait.ts'

function lingerThat(may: boolean) {
  const began: number[] = []
  const linger = new IdleWait(
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
  expect(await linger.untilWork(readAt)).toBe(true)
  expect(performance.now() - asked).toBeLessThan(1_000) // it would linger for longer
  expect(linger.isWaiting).toBe(false)
})

test('one that came before the lane was read is: what it told of was read', async () => {
  const { linger } = lingerThat(true)
  linger.notified()
  const waiting = linger.untilWork(performance.now() + 1)
  expect(linger.isWaiting).toBe(true)
  linger.wake()
  expect(await waiting).toBe(true)
})

test('a lane that is not to linger ends its turn, whatever it was told', async () => {
  const { linger, began } = lingerThat(false)
  const readAt = performance.now()
  linger.notified()
  expect(await linger.untilWork(readAt)).toBe(false)
  expect(began).toEqual([readAt])
  expect(linger.isWaiting).toBe(false)
})

test('it ends when the lane is to be handed back, also where that was said before', async () => {
  const { linger } = lingerThat(true)
  const waiting = linger.untilWork(performance.now())
  linger.end()
  expect(await waiting).toBe(false)
  linger.notified()
  expect(await linger.untilWork(0)).toBe(false)
})
