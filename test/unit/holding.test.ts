import { expect, test } from 'vitest'
import { holdingOf } from '../../src/relay/destination/holding.ts'
import type { QueuedIntent } from '../../src/store/lanes/queued-intent.ts'

function wire(text: string): QueuedIntent {
  const buffer = Buffer.from(`,${text},{"action":"event"}`)
  return { content: { form: 'wire', text: { buffer, start: 1, end: 1 + text.length } } } as QueuedIntent
}
const payload = (operation: string) =>
  ({ content: { form: 'payload', operation, payload: '{}', enqueuedAt: 1 } }) as QueuedIntent

const IDENTIFY = wire(
  '{"timestamp":1,"type":"person","action":"identify","identifiers":{"id":"\\"action\\":\\"event"}}',
)
const EVENT = (action: string) =>
  wire(
    `{"id":"00000000000000000000000000","timestamp":1,"type":"person","action":"${action}","name":"identify"}`,
  )

test.each([undefined, 'continue', {}, { default: 'continue' }, { identify: 'continue' }] as const)(
  '%j holds nothing',
  (onDead) => {
    expect(holdingOf(onDead)).toBeUndefined()
  },
)

test("'hold' holds after every operation", () => {
  const holding = holdingOf('hold')
  expect(holding?.rule).toEqual({ byDefault: true, exceptions: [] })
  expect(holding?.mayHold(EVENT('event'))).toBe(true)
})

test('the choice by operation is read from the row, also from a wire text', () => {
  const some = holdingOf({ identify: 'hold', trackPageView: 'hold', sendEmail: 'hold', track: 'continue' })
  expect(some?.rule).toEqual({ byDefault: false, exceptions: ['identify', 'trackPageView', 'sendEmail'] })
  const held = [IDENTIFY, EVENT('page'), payload('sendEmail')]
  const free = [EVENT('event'), EVENT('screen'), payload('sendPush'), wire('{"anything":1}')]
  for (const row of held) expect(some?.mayHold(row)).toBe(true)
  for (const row of free) expect(some?.mayHold(row)).toBe(false)
  const others = holdingOf({ default: 'hold', track: 'continue', identify: 'hold' })
  expect(others?.rule).toEqual({ byDefault: true, exceptions: ['track'] })
  expect(others?.mayHold(EVENT('event'))).toBe(false)
  expect(others?.mayHold(EVENT('screen'))).toBe(true)
})
