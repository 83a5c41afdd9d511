import { describe, expect, test } from 'vitest'
import { NotifyMode, pollDelayMs } from '../../src/relay/wake-up/notify-mode.ts'

function setUp() {
  const written: boolean[] = []
  const suspendedAt: number[] = []
  const world = { now: 0, isListening: true, failWrites: false }
  const errors: Error[] = []
  const notifyMode = new NotifyMode({
    writeFlag: async (isOn) => {
      if (world.failWrites) throw new Error('no database')
      written.push(isOn)
    },
    isListening: () => world.isListening,
    onSuspended: () => void suspendedAt.push(world.now),
    onError: (error) => void errors.push(error),
    clock: () => world.now,
  })
  /** Records notifications of `count` transactions, each of another session, and polls after each. */
  const commits = async (count: number, everyMs: number) => {
    for (let n = 0; n < count; n++) {
      world.now += everyMs
      notifyMode.record(n)
      await notifyMode.afterPoll(true, 0)
    }
  }
  /**
   * Commits every `everyMs` until `untilMs`, and polls every 10 ms. A commit notifies while the flag is on.
   *
   * @returns the share of the commits that notified.
   */
  const writeUntil = async (untilMs: number, everyMs: number) => {
    let [all, notified] = [0, 0]
    for (let n = 0; world.now < untilMs; n++) {
      const polledAt = Math.floor(world.now / 10)
      world.now += everyMs
      all++
      if (written.at(-1)) {
        notified++
        notifyMode.record(n)
        await new Promise(setImmediate) // the flag is written
      }
      if (Math.floor(world.now / 10) > polledAt) await notifyMode.afterPoll(true, 0)
    }
    return notified / all
  }
  return { notifyMode, written, suspendedAt, world, errors, commits, writeUntil }
}

describe('off → confirming → notifying', () => {
  test('the first poll turns notifications on, and asks for another poll, because earlier commits did not notify', async () => {
    const { notifyMode, written } = setUp()
    expect(notifyMode.mode).toEqual({ name: 'off' })
    expect(await notifyMode.afterPoll(false, 0)).toBe(true)
    expect(await notifyMode.afterPoll(false, 0)).toBe(false)
    expect(written).toEqual([true])
  })

  test('the mode is confirming for 200 ms, because transactions that read the flag before it was on may still commit', async () => {
    const { notifyMode, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.now += 199
    expect(notifyMode.mode.name).toBe('confirming')
    world.now += 1
    expect(notifyMode.mode.name).toBe('notifying')
    world.now += 10_000
    await notifyMode.afterPoll(false, 0) // writes the flag again
    expect(notifyMode.mode.name).toBe('notifying')
  })

  test('at 100 commits a second notifications stay on, and the flag is written at most once in 5 s', async () => {
    const { notifyMode, written, commits } = setUp()
    await notifyMode.afterPoll(false, 0)
    await commits(400, 10)
    expect(written).toEqual([true])
    expect(notifyMode.isNotifying).toBe(true)
    await commits(101, 10)
    expect(written).toEqual([true, true])
  })

  test('a write that fails leaves the mode as it was: the next poll tries again', async () => {
    const { notifyMode, world, written } = setUp()
    world.failWrites = true
    await expect(notifyMode.afterPoll(false, 0)).rejects.toThrow('no database')
    expect(notifyMode.mode.name).toBe('off')
    world.failWrites = false
    expect(await notifyMode.afterPoll(false, 0)).toBe(true)
    expect(written).toEqual([true])
  })
})

describe('→ burst → confirming', () => {
  test('a burst turns notifications off, is reported when the flag is written, and ends after 300 ms', async () => {
    const { notifyMode, written, suspendedAt, commits, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.now += 1_000
    await commits(50, 1)
    await notifyMode.afterPoll(true, 0)
    expect(written).toEqual([true, false])
    expect(notifyMode.mode).toEqual({ name: 'burst', until: world.now + 300 })
    expect(notifyMode.isNotifying).toBe(false)
    await new Promise(setImmediate)
    expect(suspendedAt).toHaveLength(1)
    world.now += 299
    expect(await notifyMode.afterPoll(false, 0)).toBe(false)
    world.now += 1
    expect(await notifyMode.afterPoll(false, 0)).toBe(true)
    expect(notifyMode.mode.name).toBe('confirming')
    expect(written).toEqual([true, false, true])
  })

  test('49 notifications in 200 ms, or 50 in 201 ms, are no burst', async () => {
    const few = setUp()
    await few.notifyMode.afterPoll(false, 0)
    await few.commits(49, 4)
    expect(few.written).toEqual([true])
    const slow = setUp()
    await slow.notifyMode.afterPoll(false, 0)
    await slow.commits(50, 4.15)
    expect(slow.written).toEqual([true])
  })

  test('a transaction that notifies for many lanes counts as one notification of a burst', async () => {
    const { notifyMode, written, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    for (let commit = 0; commit < 20; commit++) {
      world.now += 9
      for (let lane = 0; lane < 16; lane++) notifyMode.record(commit % 2)
    }
    await notifyMode.afterPoll(true, 0)
    expect(written).toEqual([true])
  })

  test('while a burst goes on, the cooldown doubles up to 2 s, and at most 2 % of commits notify', async () => {
    const { notifyMode, written, writeUntil } = setUp()
    await notifyMode.afterPoll(false, 0)
    const share = await writeUntil(20_000, 0.2) // 5,000 commits a second
    expect(share).toBeLessThan(0.02)
    const turnedOn = written.filter((isOn) => isOn).length
    expect(turnedOn).toBeGreaterThan(5)
    expect(turnedOn).toBeLessThan(20)
  })

  test('while the relay settles over 40 intents in 200 ms, the burst goes on; else it ends with its cooldown', async () => {
    const { notifyMode, commits, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    await commits(50, 1)
    expect(notifyMode.mode.name).toBe('burst')
    let settled = 0
    for (let poll = 0; poll < 20; poll++) {
      world.now += 200
      settled += 41
      expect(await notifyMode.afterPoll(true, settled)).toBe(false)
    }
    world.now += 200
    expect(await notifyMode.afterPoll(true, settled + 40)).toBe(false)
    world.now += 200
    expect(await notifyMode.afterPoll(true, settled + 80)).toBe(true)
  })

  test('a later burst begins with a cooldown of 300 ms again', async () => {
    const { notifyMode, commits, world, writeUntil } = setUp()
    await notifyMode.afterPoll(false, 0)
    await writeUntil(10_000, 0.2)
    world.now += 5_000
    await notifyMode.afterPoll(false, 0)
    world.now += 600
    await commits(50, 1)
    expect(notifyMode.mode).toEqual({ name: 'burst', until: world.now + 300 })
  })

  test('notifications that another relay has turned on during a cooldown prolong the cooldown, and do not double it', async () => {
    const { notifyMode, written, commits, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.now += 1_000
    await commits(50, 1)
    await commits(50, 1)
    expect(notifyMode.mode).toEqual({ name: 'burst', until: world.now + 300 })
    expect(written).toEqual([true, false, false])
  })

  test('a burst that begins during the write that turns notifications on turns them off again', async () => {
    const { notifyMode, written, world } = setUp()
    const polled = notifyMode.afterPoll(false, 0)
    for (let n = 0; n < 50; n++) {
      world.now += 1
      notifyMode.record(n)
    }
    expect(await polled).toBe(false)
    await new Promise(setImmediate)
    expect(notifyMode.mode.name).toBe('burst')
    expect(written).toEqual([true, false])
  })

  test('if the relay cannot clear the notify flag, it reports the error and writes the flag again after the cooldown', async () => {
    const { notifyMode, written, commits, world, errors } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.failWrites = true
    await commits(50, 1)
    await new Promise(setImmediate)
    expect(errors).toEqual([new Error('no database')])
    world.failWrites = false
    world.now += 1_000
    expect(await notifyMode.afterPoll(false, 0)).toBe(true)
    expect(written).toEqual([true, true])
  })
})

describe('→ off', () => {
  test('a relay that does not listen turns notifications off, also those that another relay left on', async () => {
    const { notifyMode, written, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.isListening = false
    expect(notifyMode.mode).toEqual({ name: 'off' })
    await notifyMode.afterPoll(false, 0)
    await notifyMode.afterPoll(true, 0)
    expect(written).toEqual([true, false])
    const never = setUp()
    never.world.isListening = false
    await never.notifyMode.afterPoll(false, 0)
    expect(never.written).toEqual([])
    await never.notifyMode.afterPoll(true, 0)
    expect(never.written).toEqual([false])
    never.world.now += 4_999
    await never.notifyMode.afterPoll(true, 0)
    expect(never.written).toEqual([false])
    never.world.now += 1
    await never.notifyMode.afterPoll(true, 0)
    expect(never.written).toEqual([false, false])
  })

  test('a relay that listens again turns notifications on again', async () => {
    const { notifyMode, written, world } = setUp()
    await notifyMode.afterPoll(false, 0)
    world.isListening = false
    await notifyMode.afterPoll(false, 0)
    world.isListening = true
    expect(await notifyMode.afterPoll(false, 0)).toBe(true)
    expect(written).toEqual([true, false, true])
  })
})

describe('the delay between polls', () => {
  const LIVE = { destination: 'default/track', lane: 3 }
  const BULK = { destination: 'default/track', lane: 19 }
  const LONG_AGO = Number.POSITIVE_INFINITY

  test('notifying: 200 ms during work, for breakers and scheduled intents, else the poll interval', () => {
    expect(pollDelayMs('notifying', [], 0)).toBeUndefined()
    expect(pollDelayMs('notifying', [LIVE], 0)).toBe(200)
    expect(pollDelayMs('notifying', [BULK], 0)).toBe(200)
  })

  test('confirming: 50 ms, to find transactions that read the flag before it was on', () => {
    expect(pollDelayMs('confirming', [], LONG_AGO)).toBe(50)
  })

  test('burst: 200 ms, to gather the intents that arrive; 10 ms if only bulk lanes are at work', () => {
    expect(pollDelayMs('burst', [], LONG_AGO)).toBe(200)
    expect(pollDelayMs('burst', [LIVE, BULK], 0)).toBe(200)
    expect(pollDelayMs('burst', [BULK], 0)).toBe(10)
  })

  test('off: 20 ms during work and for 200 ms after it, then the poll interval', () => {
    expect(pollDelayMs('off', [LIVE], 0)).toBe(20)
    expect(pollDelayMs('off', [BULK], 0)).toBe(10)
    expect(pollDelayMs('off', [], 199)).toBe(20)
    expect(pollDelayMs('off', [], 200)).toBeUndefined()
    expect(pollDelayMs('off', [], LONG_AGO)).toBeUndefined()
  })

  test('the time after work begins when a lane was last at work, and again at the end of a turn', () => {
    const { notifyMode, world } = setUp()
    world.isListening = false
    expect(notifyMode.pollDelayMs([])).toBeUndefined()
    expect(notifyMode.pollDelayMs([LIVE])).toBe(20)
    world.now += 199
    expect(notifyMode.pollDelayMs([])).toBe(20)
    world.now += 1
    expect(notifyMode.pollDelayMs([])).toBeUndefined()
    notifyMode.turnEnded()
    expect(notifyMode.pollDelayMs([])).toBe(20)
  })
})
