import { expect, test } from 'vitest'
import { HeartbeatWatch } from '../../src/relay/jobs/heartbeat-watch.ts'

let now = 0
const beat = (id: string, heartbeat: string, ageMs = 0) => ({ id, heartbeat, ageMs })

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
