import { expect, test } from 'vitest'
import { HeartbeatWatch } from '../../src/relay/jobs/heartbeat-watch.ts'

let now = 0
const beat = (id: string, heartbeat: string, ageMs = 0, silentMs = 0) => ({ id, heartbeat, ageMs, silentMs })

/** Reads every 2 s. Returns the seconds until the worker of the job counts as dead, or undefined if it stays alive. */
function secondsUntilDead(
  watch: HeartbeatWatch,
  heartbeatAt: (second: number) => string,
  withinSeconds = 60,
  ageMs = 0,
) {
  for (let second = 0; second <= withinSeconds; second += 2) {
    if (watch.read([beat('a', heartbeatAt(second), ageMs)]).length > 0) return second
    now += 2_000
  }
  return undefined
}

test('a worker whose heartbeat changes is alive, whatever times its heartbeats contain', () => {
  const watch = new HeartbeatWatch(() => now)
  expect(secondsUntilDead(watch, (second) => `beat ${Math.floor(second / 4)}`)).toBeUndefined()
})

test('a worker whose heartbeat does not change is dead after 10 s by the clock of this process, not before', () => {
  const watch = new HeartbeatWatch(() => now)
  expect(secondsUntilDead(watch, () => 'an hour ago')).toBe(10)
})

test('after a pause between readings the 10 s begin again: the database was away, or this process was stopped', () => {
  const watch = new HeartbeatWatch(() => now)
  expect(secondsUntilDead(watch, () => 'once', 8)).toBeUndefined()
  now += 5_000
  expect(secondsUntilDead(watch, () => 'once')).toBe(10)
})

test('each job has a count of its own, and the count of a job that was missing in one reading begins again', () => {
  const watch = new HeartbeatWatch(() => now)
  for (let second = 0; second < 10; second += 2) {
    expect(watch.read([beat('a', 'x'), ...(second === 4 ? [] : [beat('b', 'x')])])).toEqual([])
    now += 2_000
  }
  expect(watch.read([beat('a', 'x'), beat('b', 'x')])).toEqual([beat('a', 'x')])
})

test('a worker whose heartbeat is also old by the clock of the database is dead after 5 s, but after a step of that clock the next heartbeat comes earlier', () => {
  const watch = new HeartbeatWatch(() => now)
  expect(secondsUntilDead(watch, () => 'once', 60, 3_600_000)).toBe(6)
  const stepped = new HeartbeatWatch(() => now)
  expect(
    secondsUntilDead(stepped, (second) => `beat ${Math.floor(second / 4)}`, 60, 3_600_000),
  ).toBeUndefined()
})

test('what earlier processes have watched counts, until the heartbeat changes', () => {
  const earlier = new HeartbeatWatch(() => now)
  earlier.read([beat('a', 'once'), beat('b', 'once')])
  now += 4_000
  expect(earlier.read([beat('a', 'once'), beat('b', 'twice')])).toEqual([])
  expect(earlier.silences).toEqual([{ id: 'a', heartbeat: 'once', silentMs: 4_000 }])

  const later = new HeartbeatWatch(() => now)
  now += 60_000
  const [a, b] = [beat('a', 'once', 0, 4_000), beat('b', 'twice')]
  expect(later.read([a, b])).toEqual([])
  now += 4_000
  expect(later.read([a, b])).toEqual([])
  expect(later.silences).toEqual([
    { id: 'a', heartbeat: 'once', silentMs: 8_000 },
    { id: 'b', heartbeat: 'twice', silentMs: 4_000 },
  ])
  now += 2_000
  expect(later.read([a, b])).toEqual([a])
})

test('a live worker that could not write during an outage of the database is not dead, although it was watched before', () => {
  const watch = new HeartbeatWatch(() => now)
  const afterOutage = beat('a', 'before the outage', 60_000, 3_000) // watched for 3 s before it
  expect(watch.read([afterOutage])).toEqual([])
  now += 3_500
  expect(watch.read([afterOutage])).toEqual([])
  now += 500
  expect(watch.read([beat('a', 'after the outage')])).toEqual([])
})
