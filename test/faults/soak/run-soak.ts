import type pg from 'pg'
import { eventually } from '../../support/eventually.ts'
import { judge, type Verdict } from '../support/oracle.ts'
import { readTables } from '../support/shop.ts'
import type { Writer } from '../support/writers.ts'
import { explainOrder, type Settled } from './explain-order.ts'
import { happen } from './incidents.ts'
import { logFolder, openWorld } from './open-world.ts'
import { runSchedule } from './run-schedule.ts'
import { describeEntry, type Entry } from './schedule.ts'
import { ask, onClient, type World } from './world.ts'
import { watchForStop } from './watch-for-stop.ts'
import { write } from './writing.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly relays: number
  /** Committed intents a minute to aim at. */
  readonly rate: number
  readonly entries: readonly Entry[]
  /**
   * Milliseconds. Default: 180,000. A half-open connection that is noticed late, a takeover and the longest backoff of a
   * lane take less.
   */
  readonly drainWithinMs?: number
  /** Once a second. */
  readonly onProgress: (progress: Progress) => void
  readonly onIncident: (text: string) => void
}

export interface Progress {
  readonly elapsedMs: number
  readonly committed: number
  readonly delivered: number
  readonly incidents: number
  readonly relaysRunning: number
}

export interface SoakResult {
  readonly verdict: Verdict
  /** What must not have happened, besides what the oracle finds; a sentence each. */
  readonly misconduct: readonly string[]
  /** Intents of commits that were answered, also those that the database lost after that. */
  readonly acknowledged: number
  readonly unknownCommits: number
  readonly rolledBack: number
  readonly requests: Readonly<Record<number, number>>
  readonly restarts: number
  readonly drainMs: number
  /** What is known of the intents that came out of order; a line each. */
  readonly explanations: readonly string[]
  /** The relays' logs are kept here. */
  readonly logs: string
}

const DRAIN_WITHIN_MS = 180_000

/** Everything goes wrong for some minutes, then nothing more: the backlog drains, and the oracle judges. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  await using cleanup = new AsyncDisposableStack()
  const misconduct: string[] = []
  const note = (what: string) => misconduct.push(what)
  const logs = await logFolder()
  const world = await openWorld(cleanup, options.relays, logs, note)
  const { relays, fake, databaseUrl, ledger } = world
  cleanup.use(watchForStop(world, note))
  for (const relay of relays) relay.start()
  const began = Date.now()
  await goWrong(world, options, note)

  options.onIncident('the faults end, the backlog drains')
  await putRight(world)
  const drainBegan = performance.now()
  const isEmpty = async () => (await ask(world, 'SELECT 1 FROM outbox.intents LIMIT 1'))?.length === 0
  const withinMs = options.drainWithinMs ?? DRAIN_WITHIN_MS
  await eventually('an empty queue', isEmpty, withinMs).catch((error: Error) => note(error.message))
  const drainMs = performance.now() - drainBegan
  const restarts = relays.reduce((sum, relay) => sum + relay.restarts, 0)
  await Promise.all(relays.map((relay) => relay.stop()))
  const tables = await onClient(databaseUrl, readTables)
  const evidence = { ...tables, ...ledger, applied: fake.applied, duplicates: fake.duplicates }
  const verdict = judge({ ...evidence, refused: world.refusals.refs })
  const outOfOrder = verdict.findings.find(({ violation }) => violation === 'out of order')?.refs ?? []
  const settled = await ask<Settled & pg.QueryResultRow>(world, 'SELECT * FROM outbox.delivered')
  return {
    verdict,
    misconduct,
    explanations: outOfOrder.flatMap((ref) =>
      explainOrder(ref, { ...evidence, settled: settled ?? [], began }),
    ),
    acknowledged: ledger.acknowledged.size,
    unknownCommits: ledger.unknown.size,
    rolledBack: ledger.rolledBack.size,
    requests: fake.requests.byStatus,
    restarts,
    drainMs,
    logs,
  }
}

/** Writers write, and the schedule happens to them. Resolves when the time is over and every fault has ended. */
async function goWrong(world: World, options: SoakOptions, note: (what: string) => void): Promise<void> {
  const { ledger } = world
  const { seed, minutes, rate, entries } = options
  const began = performance.now()
  let incidents = 0
  const progress = setInterval(() => {
    options.onProgress({
      elapsedMs: performance.now() - began,
      committed: ledger.acknowledged.size,
      delivered: world.fake.counts.applied,
      incidents,
      relaysRunning: world.relays.filter(({ isRunning }) => isRunning).length,
    })
  }, 1_000)
  const over = new AbortController()
  const schedule = runSchedule({
    entries,
    signal: over.signal,
    happen: ({ incident }) => happen(world, incident, over.signal),
    onBegin: (entry) => {
      incidents++
      options.onIncident(describeEntry(entry))
    },
    onFailure: (entry, error) =>
      note(`the schedule's "${describeEntry(entry).trim()}" failed: ${error.message}`),
  })
  const durationMs = minutes * 60_000
  let writers: Writer[] = []
  try {
    writers = await write({
      connectionString: world.databaseUrl,
      ledger,
      seed,
      intents: rate * minutes,
      durationMs,
    })
  } finally {
    over.abort() // also where the writers fail: nothing goes wrong any more after this
    await schedule
    clearInterval(progress)
  }
  for (const writer of writers) {
    await writer.reconcile()
    await writer.close()
  }
}

async function putRight({ fake, proxies, refusals, relays, clock }: World): Promise<void> {
  await clock?.set(0)
  fake.behave()
  refusals.declareTo(fake)
  for (const proxy of proxies) {
    await proxy.restore()
    proxy.cut('rst') // what was swallowed is lost: those connections are of no use any more
  }
  for (const relay of relays) relay.start()
}
