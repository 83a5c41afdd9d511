import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CutLimits, cutBatch, type PreparedRow } from '../../src/relay/destination/cut-batch.ts'
import type { Content, QueuedIntent } from '../../src/store/lanes/queued-intent.ts'

const LIMITS: CutLimits = { count: 1_000, bytes: 480_000, itemBytes: 32_000 }

function row(seq: number, operation = 'track', payload: object = {}): QueuedIntent {
  return {
    seq: String(seq),
    id: '',
    content: { form: 'payload', operation, payload: JSON.stringify(payload), enqueuedAt: 1 },
    size: 100,
    orderingKey: 'u1',
    format: 1,
    attempts: 0,
    retryInMs: null,
    onAmbiguous: 'park',
    sending: false,
    expired: null,
  }
}

function contentOf(content: Content | undefined): { readonly operation: string; readonly payload: string } {
  if (content?.form !== 'payload') throw new TypeError('the rows of this test have payloads')
  return content
}

/** Prepares rows of the operations `barrier`, `alone`, `suppressed` and `expired` as such. Other rows may share a batch. */
function prepare({ seq, id, content }: QueuedIntent): PreparedRow {
  const { operation, payload } = contentOf(content)
  if (operation === 'suppressed') return 'suppressed'
  if (operation === 'expired') return { dead: { seq, id, reason: 'expired' } }
  const barrier = operation === 'barrier'
  const batchable = !barrier && operation !== 'alone'
  const bytes = Buffer.byteLength(payload)
  return { send: { bytes, maxBytes: bytes + 40, batchable, barrier, call: JSON.parse(payload) } }
}

/** Text whose UTF-8 takes 1 to 4 bytes a character. */
const text = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength })
const seqs = (entries: readonly { readonly seq: string }[]) => entries.map(({ seq }) => seq)

test('every request stays within its bytes and its count for any text, and no row is lost or overtaken', () => {
  const rows = fc.array(
    fc.record({
      pad: text(400),
      kind: fc.oneof(
        { weight: 8, arbitrary: fc.constant('track') },
        { weight: 2, arbitrary: fc.constantFrom('barrier', 'alone', 'suppressed', 'expired') },
      ),
    }),
    { minLength: 1, maxLength: 60 },
  )
  const limits = fc.record({
    count: fc.integer({ min: 1, max: 20 }),
    bytes: fc.integer({ min: 2_100, max: 6_000 }),
    itemBytes: fc.integer({ min: 300, max: 2_000 }),
  })
  fc.assert(
    fc.property(rows, limits, (given, bounds) => {
      let left = given.map(({ pad, kind }, i) => row(i, kind, { pad }))
      const seen: string[] = []
      while (left.length > 0) {
        const { batch, dead, suppressed, used } = cutBatch(left, bounds, prepare)
        expect(used).toBeGreaterThan(0)
        const body = JSON.stringify(batch.map(({ item }) => item.call))
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(bounds.bytes + '[]'.length)
        expect(batch.length).toBeLessThanOrEqual(bounds.count)
        const taken = left.slice(0, used)
        const sent = batch.map(({ row }) => row)
        expect([...seqs(sent), ...seqs(dead), ...seqs(suppressed)].sort()).toEqual(seqs(taken).sort())
        expect(sent).toEqual(taken.filter((one) => sent.includes(one)))
        if (sent.some(({ content }) => contentOf(content).operation !== 'track')) expect(sent).toHaveLength(1)
        for (const { seq, reason } of dead) {
          const one = taken.find((each) => each.seq === seq)
          const bytes = Buffer.byteLength(JSON.stringify(contentOf(one?.content).payload))
          expect(
            reason === 'expired' ? contentOf(one?.content).operation === 'expired' : bytes > bounds.itemBytes,
          ).toBe(true)
        }
        seen.push(...seqs(taken))
        left = left.slice(used)
      }
      expect(seen).toEqual(given.map((_, i) => String(i)))
    }),
  )
})

test('a batch is as full as its bytes allow: one more item would exceed them', () => {
  const rows = Array.from({ length: 100 }, (_, i) => row(i, 'track', { pad: 'x'.repeat(10_000) }))
  const { batch } = cutBatch(rows, LIMITS, prepare)
  const size = (n: number) =>
    JSON.stringify(rows.slice(0, n).map(({ content }) => contentOf(content).payload)).length - '[]'.length
  expect(size(batch.length)).toBeLessThanOrEqual(LIMITS.bytes)
  expect(size(batch.length + 1)).toBeGreaterThan(LIMITS.bytes)
})

test('a row that can never be sent becomes a dead letter with its reason, and does not stop other rows', () => {
  const rows = [
    row(1),
    row(2, 'expired'),
    row(3, 'track', { pad: 'x'.repeat(32_001) }),
    row(4, 'suppressed'),
    row(5),
  ]
  const { batch, dead, suppressed, used } = cutBatch(rows, LIMITS, prepare)
  expect(batch.map(({ row }) => row.seq)).toEqual(['1', '5'])
  expect(dead).toMatchObject([
    { seq: '2', id: expect.any(String), reason: 'expired' },
    { seq: '3', id: expect.any(String), reason: 'too_large', message: expect.stringContaining('32000') },
  ])
  expect(seqs(suppressed)).toEqual(['4'])
  expect(used).toBe(5)
})

test.each(['barrier', 'alone'])(
  'a row of the kind %s is sent alone, after all earlier rows and before all later ones',
  (kind) => {
    const rows = [row(1), row(2), row(3, kind), row(4)]
    const cuts: string[][] = []
    for (let left = rows; left.length > 0; ) {
      const { batch, used } = cutBatch(left, LIMITS, prepare)
      cuts.push(batch.map(({ row }) => row.seq))
      left = left.slice(used)
    }
    expect(cuts).toEqual([['1', '2'], ['3'], ['4']])
  },
)

describe('a row that may hold its key', () => {
  const of = (orderingKey: string, seq: number, operation = 'track', payload = {}): QueuedIntent => ({
    ...row(seq, operation, payload),
    orderingKey,
  })
  const mayHold = ({ content }: QueuedIntent) => contentOf(content).operation.startsWith('hold')
  const cut = (...rows: QueuedIntent[]) => {
    const { batch, dead, used, skips } = cutBatch(rows, LIMITS, prepare, mayHold)
    return { batch: batch.map(({ row }) => row.seq), dead: seqs(dead), used, skips }
  }

  test('is the last of its key in a request; rows of other keys fill it', () => {
    expect(
      cut(of('a', 1), of('a', 2, 'hold'), of('a', 3), of('b', 4), of('a', 5, 'hold'), of('b', 6)),
    ).toEqual({ batch: ['1', '2', '4', '6'], dead: [], used: 6, skips: true })
  })

  test('closes its key too if it becomes a dead letter without a request, but not if it has expired', () => {
    const tooLarge = { pad: 'x'.repeat(32_001) }
    expect(cut(of('a', 1, 'hold', tooLarge), of('a', 2), of('b', 3))).toEqual({
      batch: ['3'],
      dead: ['1'],
      used: 3,
      skips: true,
    })
    expect(cut(of('a', 1, 'expired'), of('a', 2))).toMatchObject({ batch: ['2'], skips: false })
  })

  test('no row overtakes a barrier that waits behind it', () => {
    expect(cut(of('a', 1, 'hold'), of('a', 2, 'barrier'), of('b', 3))).toMatchObject({
      batch: ['1'],
      used: 1,
    })
  })
})
