import { expect, test } from 'vitest'
import { runSchedule } from './soak/run-schedule.ts'
import { describeEntry, type Entry, planSchedule } from './soak/schedule.ts'

test('the soak: a seed is a schedule, the same every time, with every kind of incident in ten minutes', () => {
  const entries = planSchedule(7, 10, 3)
  expect(planSchedule(7, 10, 3)).toEqual(entries)
  expect(planSchedule(8, 10, 3)).not.toEqual(entries)
  const kinds = Object.groupBy(entries, ({ incident }) => incident.kind)
  expect(Object.keys(kinds)).toHaveLength(18)
  const gaps = entries.slice(1).map(({ at }, n) => at - (entries[n]?.at ?? 0))
  expect(Math.max(...gaps)).toBeLessThan(5_000)
})

test('the soak: an incident that fails is told of, and ends nothing', async () => {
  const entries: Entry[] = [0, 1, 2].map((at) => ({ at, incident: { kind: 'cut', relay: at, how: 'fin' } }))
  const done: string[] = []
  const failed: string[] = []
  await runSchedule({
    entries,
    signal: new AbortController().signal,
    onBegin: () => {},
    onFailure: (entry, { message }) => failed.push(`${describeEntry(entry).trim()}: ${message}`),
    happen: async (entry) => {
      if (entry.at === 1) throw new Error('no such proxy')
      done.push(describeEntry(entry).trim())
    },
  })
  expect(done).toEqual(['0.0 s  cut relay=0 how=fin', '0.0 s  cut relay=2 how=fin'])
  expect(failed).toEqual(['0.0 s  cut relay=1 how=fin: no such proxy'])
})
