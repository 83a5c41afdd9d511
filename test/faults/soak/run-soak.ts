import type pg from 'pg'
import { eventually } from '../../support/eventually.ts'
import { judge, type Verdict } from '../support/shop/oracle.ts'
import { readTables } from '../support/shop/shop.ts'
import type { Writer } from '../support/shop/writers.ts'
import { explainOrder, type Settled } from './explain-order.ts'
import { applyIncident } from './incidents/incidents.ts'
import { logFolder, openEnvironment } from './open-environment.ts'
import { runSchedule } from './incidents/run-schedule.ts'
import { describeEntry, type Entry } from './incidents/schedule.ts'
import { query, onClient, type Environment } from './environment.ts'
import { watchForStop } from './watch-for-stop.ts'
import { runWriters } from './writing.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly relays: number
  /** Target rate: committed intents per minute. */
  readonly rate: number
  readonly entries: readonly Entry[]
  /**
   * Time limit for draining after the faults. Milliseconds. Default: 180,000, which is more than a half-open connection,
   * a takeover and the longest backoff of a lane take together.
   */
  readonly drainWithinMs?: number
  /** Called once a second. */
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
  /** Problems besides the oracle's findings, one sentence each. */
  readonly problems: readonly string[]
  /** Intents whose commit was confirmed, including those that the database lost later. */
  readonly acknowledged: number
  readonly unknownCommits: number
  readonly rolledBack: number
  readonly requests: Readonly<Record<number, number>>
  readonly restarts: number
  readonly drainMs: number
  /** Details of the intents that arrived out of order and of their neighbours, one line each. */
  readonly explanations: readonly string[]
  /** The folder with the relays' logs. */
  readonly logs: string
}

const DRAIN_WITHIN_MS = 180_000

/** Injects faults for some minutes, ends them, waits for the backlog to drain, and applies the oracle. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  await using cleanup = new AsyncDisposableStack()
  const problems: string[] = []
  const onProblem = (problem: string) => problems.push(problem)
  const logs = await logFolder()
  const environment = await openEnvironment(cleanup, options.relays, logs, onProblem)
  const { relays, fake, databaseUrl, ledger } = environment
  cleanup.use(watchForStop(environment, onProblem))
  for (const relay of relays) relay.start()
  const began = Date.now()
  await runIncidents(environment, options, onProblem)

  options.onIncident('faults ended, draining the backlog')
  await endFaults(environment)
  const drainBegan = performance.now()
  const isEmpty = async () => (await query(environment, 'SELECT 1 FROM outbox.intents LIMIT 1'))?.length === 0
  const withinMs = options.drainWithinMs ?? DRAIN_WITHIN_MS
  await eventually('an empty queue', isEmpty, withinMs).catch((error: Error) => onProblem(error.message))
  const drainMs = performance.now() - drainBegan
  const restarts = relays.reduce((sum, relay) => sum + relay.restarts, 0)
  await Promise.all(relays.map((relay) => relay.stop()))
  const tables = await onClient(databaseUrl, readTables)
  const evidence = { ...tables, ...ledger, applied: fake.applied, duplicates: fake.duplicates }
  const verdict = judge({ ...evidence, refused: environment.refusals.refs })
  const outOfOrder = verdict.findings.find(({ violation }) => violation === 'out of order')?.refs ?? []
  const settled = await query<Settled & pg.QueryResultRow>(environment, 'SELECT * FROM outbox.delivered')
  return {
    verdict,
    problems,
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

/** Runs the writers and the schedule. Resolves when the time is over and every incident has ended. */
async function runIncidents(
  environment: Environment,
  options: SoakOptions,
  onProblem: (problem: string) => void,
): Promise<void> {
  const { ledger } = environment
  const { seed, minutes, rate, entries } = options
  const began = performance.now()
  let incidents = 0
  const progress = setInterval(() => {
    options.onProgress({
      elapsedMs: performance.now() - began,
      committed: ledger.acknowledged.size,
      delivered: environment.fake.counts.applied,
      incidents,
      relaysRunning: environment.relays.filter(({ isRunning }) => isRunning).length,
    })
  }, 1_000)
  const over = new AbortController()
  const schedule = runSchedule({
    entries,
    signal: over.signal,
    applyIncident: ({ incident }) => applyIncident(environment, incident, over.signal),
    onBegin: (entry) => {
      incidents++
      options.onIncident(describeEntry(entry))
    },
    onFailure: (entry, error) =>
      onProblem(`the incident "${describeEntry(entry).trim()}" failed: ${error.message}`),
  })
  const durationMs = minutes * 60_000
  let writers: Writer[] = []
  try {
    writers = await runWriters({
      connectionString: environment.databaseUrl,
      ledger,
      seed,
      intents: rate * minutes,
      durationMs,
    })
  } finally {
    over.abort() // also if the writers fail: no incident starts after this
    await schedule
    clearInterval(progress)
  }
  for (const writer of writers) {
    await writer.reconcile()
    await writer.close()
  }
}

async function endFaults({ fake, proxies, refusals, relays, clock }: Environment): Promise<void> {
  await clock?.set(0)
  fake.behave()
  refusals.applyTo(fake)
  for (const proxy of proxies) {
    await proxy.restore()
    proxy.cut('rst') // connections that lost bytes are useless
  }
  for (const relay of relays) relay.start()
}
