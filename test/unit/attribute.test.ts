import { expect, test } from 'vitest'
import { attribute, compareWithHistory, countsAtOnce } from '../../src/relay/send/attribute.ts'

const OF_DESTINATION = { blames: 'destination', mayBeContent: true, othersPass: false } as const
const OF_CREDENTIAL = { ...OF_DESTINATION, blames: 'credential' } as const

test.each([
  ['a timeout', { ...OF_DESTINATION, mayBeContent: false }, undefined, 'retry_later'],
  [
    'a timeout, while other requests pass',
    { ...OF_DESTINATION, mayBeContent: false, othersPass: true },
    'pass',
    'retry_later',
  ],
  ['a 500, while other requests pass', { ...OF_DESTINATION, othersPass: true }, undefined, 'intent'],
  ['a 500, and nothing is known of other requests', OF_DESTINATION, undefined, 'undecided'],
  ['a 500, and the canary passes', OF_DESTINATION, 'pass', 'intent'],
  ['a 500, and the canaries fail', OF_DESTINATION, 'fail', 'destination'],
  ['a 403, and the canary passes', OF_CREDENTIAL, 'pass', 'intent'],
  ['a 403, and the canaries are refused', OF_CREDENTIAL, 'fail', 'credential'],
  ['a 403 that proves nothing', OF_CREDENTIAL, 'inconclusive', 'retry_later'],
] as const)('%s', (_, evidence, comparison, attribution) => {
  expect(attribute(evidence, comparison)).toBe(attribution)
})

test.each([
  [{ othersPassed: true, provesNothing: true }, 'pass'],
  [{ othersPassed: true, provesNothing: false }, 'pass'],
  [{ othersPassed: false, provesNothing: true }, 'inconclusive'],
  [{ othersPassed: false, provesNothing: false }, 'fail'],
] as const)(
  'without another request to compare with, the history decides: %o is %s',
  (record, comparison) => {
    expect(compareWithHistory(record)).toBe(comparison)
  },
)

test.each([
  // mayBeContent, othersPassed, provesNothing, canCompare: counts
  [false, true, true, true, true],
  [true, true, false, false, false],
  [true, false, true, false, false],
  [true, false, false, true, false],
  [true, false, false, false, true],
])(
  'may be content %s, others passed %s, proves nothing %s, can compare %s: counts at once is %s',
  (...values) => {
    const [mayBeContent, othersPassed, provesNothing, canCompare, counts] = values
    expect(countsAtOnce(mayBeContent, { othersPassed, provesNothing }, () => canCompare)).toBe(counts)
  },
)
