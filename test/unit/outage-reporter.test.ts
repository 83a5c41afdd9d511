import { expect, test } from 'vitest'
import { OutageReporter } from '../../src/relay/wake-up/outage-reporter.ts'

const TIMEOUT = 'Query read timeout'
const TERMINATED = 'Connection terminated unexpectedly'

/** Creates a reporter that adds a line for each report. */
function record(): { readonly reporter: OutageReporter; readonly lines: string[] } {
  const lines: string[] = []
  const reporter = new OutageReporter({
    onLost: ({ message }) => lines.push(`lost: ${message}`),
    onBack: () => lines.push('back'),
    onNotListening: (reason) => lines.push(`not listening: ${reason}`),
    onListening: () => lines.push('listening'),
    onError: ({ message }) => lines.push(`error: ${message}`),
    pollNow: () => lines.push('poll'),
  })
  return { reporter, lines }
}

test('connections that break for one cause are reported once for each message, also if the messages alternate', () => {
  const { reporter, lines } = record()
  for (const message of [TIMEOUT, TERMINATED, TIMEOUT, TERMINATED]) {
    reporter.report(new Error(message))
    reporter.pollSucceeded()
  }
  expect(lines.filter((line) => line !== 'poll')).toEqual([`error: ${TIMEOUT}`, `error: ${TERMINATED}`])
})

test('two or more polls that fail in a row are one outage, and its error is not reported again after it', () => {
  const { reporter, lines } = record()
  for (let n = 0; n < 5; n++) reporter.pollFailed(new Error(TIMEOUT))
  reporter.pollSucceeded()
  reporter.report(new Error(TIMEOUT))
  reporter.pollSucceeded()
  expect(lines).toEqual([`lost: ${TIMEOUT}`, 'back', 'poll'])
})

test('an error that is not a broken connection is reported each time', () => {
  const { reporter, lines } = record()
  for (let n = 0; n < 2; n++) reporter.report(new Error('relation "x" does not exist'))
  expect(lines).toEqual(Array(2).fill('error: relation "x" does not exist'))
})
