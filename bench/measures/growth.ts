import { fillBacklog, filledId } from '../load/fill-backlog.ts'
import { fillDelivered } from '../load/fill-delivered.ts'
import { withClient } from '../machine/postgres.ts'
import { committed as ids } from '../peers/outbox/backlog.ts'
import { installOutbox, outbox } from '../peers/outbox/peer.ts'
import type { Bench } from './bench.ts'
import { drainWindow, type Window } from './growth/drain-window.ts'
import { growthResult, type GrowthRounds } from './growth/result.ts'
import { timeViews, VIEWS } from './growth/time-views.ts'
import type { Measure } from './measure.ts'

/** Older than the default retention of 7 days, so the day is due for pruning. */
const PRUNED_DAYS_AGO = 10

export const growth: Measure = {
  id: 'growth',
  title: 'Growth: what a long backlog, an old snapshot and a full history cost',
  async run(bench) {
    const { postgres, settings, log } = bench
    const { backlog, smallBacklog } = settings.sizes
    const rounds: GrowthRounds = {
      small: [],
      large: [],
      largeFirst: [],
      snapshot: [],
      memory: { small: [], large: [], snapshot: [] },
      views: Object.fromEntries(VIEWS.map((view) => [view, []])),
      prune: [],
      broken: [],
    }
    const url = await postgres.create()
    await installOutbox(url)
    let enqueued = 0
    for (let round = 1; round <= settings.rounds; round++) {
      const when = `round ${round}/${settings.rounds}`
      const small = await drainSmall(bench, smallBacklog)
      recordWindow(rounds, 'small', small)
      rounds.small.push(small.rate)
      log(`${when}, ${smallBacklog} pending: ${Math.round(small.rate)}/s`)

      enqueued = await topUp(bench, url, enqueued, backlog)
      const times = await withClient(url, timeViews)
      for (const view of VIEWS) rounds.views[view]?.push(times[view] ?? Number.NaN)
      log(`${when}, views: ${VIEWS.map((view) => `${view} ${times[view]?.toFixed(1)} ms`).join(', ')}`)

      const window = {
        seconds: settings.sizes.growthSeconds,
        first: smallBacklog,
        all: backlog,
        idOf: filledId,
      }
      const large = await drainWindow(bench, url, { ...window, refs: enqueued })
      recordWindow(rounds, 'large', large)
      rounds.large.push(large.rate)
      rounds.largeFirst.push(large.firstRate)
      log(
        `${when}, ${backlog} pending: ${Math.round(large.rate)}/s, first ${smallBacklog} ${Math.round(large.firstRate)}/s`,
      )

      enqueued = await topUp(bench, url, enqueued, backlog)
      const snapshot = await withSnapshot(url, () => drainWindow(bench, url, { ...window, refs: enqueued }))
      recordWindow(rounds, 'snapshot', snapshot)
      rounds.snapshot.push(snapshot.rate)
      log(`${when}, with a snapshot held open: ${Math.round(snapshot.rate)}/s`)
    }
    rounds.broken.push(...(await losses(url, enqueued)))
    await prune(bench, url, rounds)
    await postgres.drop(url)
    return growthResult(this, settings.sizes, rounds)
  },
}

async function drainSmall(bench: Bench, count: number): Promise<Window> {
  const url = await bench.backlogs.copy(outbox, count)
  const committed = await withClient(url, ids)
  const task = {
    refs: count,
    seconds: 600,
    first: count,
    all: count,
    idOf: (ref: number) => committed.get(ref) ?? '',
  }
  const window = await drainWindow(bench, url, task)
  await bench.postgres.drop(url)
  return window
}

/**
 * Enqueues until `pending` intents are pending, and vacuums the rows that the previous window deleted.
 *
 * @returns The number of refs so far.
 */
async function topUp({ log }: Bench, url: string, enqueued: number, pending: number): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM outbox.intents',
    )
    const next = enqueued + pending - (rows[0]?.count ?? 0)
    await fillBacklog(client, enqueued, next, log)
    await client.query('VACUUM (ANALYZE) outbox.intents')
    await client.query('CHECKPOINT')
    return next
  })
}

async function withSnapshot<T>(url: string, work: () => Promise<T>): Promise<T> {
  return withClient(url, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query('SELECT count(*) FROM outbox.relays') // takes the snapshot
    const result = await work()
    await client.query('COMMIT')
    return result
  })
}

function recordWindow(rounds: GrowthRounds, which: 'small' | 'large' | 'snapshot', window: Window): void {
  if (window.peakMemoryMb !== undefined) rounds.memory[which].push(window.peakMemoryMb)
  rounds.broken.push(...window.faults.map((fault) => `growth, ${which}: ${fault}`))
}

/** Checks that every enqueued intent is pending or delivered, so none was lost. */
async function losses(url: string, enqueued: number): Promise<string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ kept: number }>(
      `SELECT ((SELECT count(*) FROM outbox.intents) + (SELECT count(*) FROM outbox.delivered))::int AS kept`,
    )
    const kept = rows[0]?.kept
    return kept === enqueued
      ? []
      : [`growth: expected ${enqueued} intents to be pending or delivered, got ${kept}`]
  })
}

async function prune({ settings, log }: Bench, url: string, rounds: GrowthRounds): Promise<void> {
  await withClient(url, async (client) => {
    for (let round = 1; round <= settings.rounds; round++) {
      await fillDelivered(client, settings.sizes.delivered, PRUNED_DAYS_AGO)
      await client.query('CHECKPOINT')
      const began = performance.now()
      const { rows } = await client.query<{ dropped: number }>(
        `SELECT outbox.prune_delivered('7 days') AS dropped`,
      )
      rounds.prune.push((performance.now() - began) / 1_000)
      if (rows[0]?.dropped !== 1)
        rounds.broken.push(`growth: expected pruning to drop 1 day, got ${rows[0]?.dropped}`)
      log(`round ${round}/${settings.rounds}, pruning a day: ${rounds.prune.at(-1)?.toFixed(3)} s`)
    }
  })
}
