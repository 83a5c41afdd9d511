import { expect, test } from 'vitest'
import { LookPace } from '../../src/relay/wake-up/look-pace.ts'

const LIVE = { destination: 'default/track', lane: 3 }
const BULK = { destination: 'default/track', lane: 19 }
const pace = (flag: { isNew?: boolean; isUp?: boolean; isDue?: boolean }) =>
  new LookPace({ isNew: false, isUp: false, isDue: false, ...flag })

test('where every commit notifies nothing is looked for: breakers and delays only, while there is work', () => {
  expect(pace({ isUp: true }).betweenLooks([])).toBeUndefined()
  expect(pace({ isUp: true }).betweenLooks([LIVE])).toBe(200)
  expect(pace({ isUp: true }).betweenLooks([BULK])).toBe(200)
})

test('where it has only just been asked for, who read the flag before is looked for', () => {
  expect(pace({ isUp: true, isNew: true }).betweenLooks([])).toBe(50)
})

test('where commits are too many to notify, what they bring is gathered; beside a backfill it is not', () => {
  expect(pace({ isDue: true }).betweenLooks([])).toBe(200)
  expect(pace({ isDue: true }).betweenLooks([LIVE, BULK])).toBe(200)
  expect(pace({ isDue: true }).betweenLooks([BULK])).toBe(10)
})

test('where nothing is heard, looks are close while there is work and shortly after, and then the polls', () => {
  const deaf = pace({})
  expect(deaf.betweenLooks([])).toBeUndefined()
  expect(deaf.betweenLooks([LIVE])).toBe(20)
  expect(deaf.betweenLooks([])).toBe(20)
})
