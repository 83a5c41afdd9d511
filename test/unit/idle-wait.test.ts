import { expect, test } from 'vitest'
import { IdleWait } from '../../src/relay/turn/idle-wait.ts'

function setUp(mayWait: boolean) {
  const askedFor: number[] = []
  const idleWait = new IdleWait((readAt) => {
    askedFor.push(readAt)
    return mayWait
  })
  return { idleWait, askedFor }
}

test('a notification that came after the lane was read ends the next wait at once', async () => {
  const { idleWait } = setUp(true)
  const readAt = performance.now()
  idleWait.notify()
  const startedAt = performance.now()
  expect(await idleWait.untilWork(readAt)).toBe(true)
  expect(performance.now() - startedAt).toBeLessThan(1_000) // an idle lane waits for longer
  expect(idleWait.isWaiting).toBe(false)
})

test('a notification that came before the lane was read does not end the wait, because the read saw its commit', async () => {
  const { idleWait } = setUp(true)
  idleWait.notify()
  const waiting = idleWait.untilWork(performance.now() + 1)
  expect(idleWait.isWaiting).toBe(true)
  idleWait.wake()
  expect(await waiting).toBe(true)
})

test('a lane that may not wait ends its turn, also after a notification', async () => {
  const { idleWait, askedFor } = setUp(false)
  const readAt = performance.now()
  idleWait.notify()
  expect(await idleWait.untilWork(readAt)).toBe(false)
  expect(askedFor).toEqual([readAt])
  expect(idleWait.isWaiting).toBe(false)
})

test('end() ends a wait, and every later one', async () => {
  const { idleWait } = setUp(true)
  const waiting = idleWait.untilWork(performance.now())
  idleWait.end()
  expect(await waiting).toBe(false)
  idleWait.notify()
  expect(await idleWait.untilWork(0)).toBe(false)
})
