import type { EventEmitter } from 'node:events'
import { drain } from '../../relay/drain/drain.ts'
import type { DrainResult } from '../../relay/drain/drain-result.ts'
import type { RelayEvents } from '../../relay/events.ts'
import type { DrainSettings } from '../commands/drain-settings.ts'
import { EXIT, reportFailure } from '../errors.ts'
import { renderDrain } from '../output/drain-text.ts'
import { count, duration } from '../output/format.ts'
import { createLogger, logRelay } from '../output/log.ts'
import { showProgress } from '../output/progress-line.ts'
import { SIGNAL_STATUS, untilSignal } from '../process/shutdown.ts'
import { deliveryOptions, workspaceReader } from './delivery.ts'

/** Milliseconds that the process may take after a signal, beside the timeout of the request in flight. */
const CLOSE_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
const STDERR = 2

/** Delivers what is in the queue, prints what was done and what is left, and ends the process with the status of the outcome. */
export async function runDrain(given: DrainSettings, json: boolean): Promise<void> {
  const workspaces = await workspaceReader(given)()
  const log = createLogger(given.logLevel, STDERR)
  const abort = new AbortController()
  let endedBy: keyof typeof SIGNAL_STATUS | undefined
  void untilSignal({
    timeoutMs: (given.requestTimeout ?? REQUEST_TIMEOUT_MS) + CLOSE_MS,
    onSignal: (signal) => {
      endedBy = signal
      abort.abort()
    },
    onTimeout: () => console.error('customerio-outbox: shutdown timed out; other relays take over the lanes'),
  })
  let hideProgress = () => {}
  const result = await drain({
    ...deliveryOptions(given, workspaces),
    forMs: given.for,
    signal: abort.signal,
    observe: (events) => {
      logRelay(log, events)
      hideProgress = showProgressOf(events, given.for)
    },
  })
    .finally(() => hideProgress())
    .catch((error) => process.exit(reportFailure(error))) // a silent database must not keep the process
  console.log(json ? JSON.stringify(result) : renderDrain(result, endedBy))
  process.exit(statusOf(result, endedBy))
}

function showProgressOf(events: EventEmitter<RelayEvents>, forMs: number): () => void {
  let delivered = 0
  events.on('settled', (settled) => {
    delivered += settled.delivered
  })
  const deadline = performance.now() + forMs
  return showProgress(process.stderr, () => {
    const leftMs = Math.ceil((deadline - performance.now()) / 1_000) * 1_000
    return leftMs > 0
      ? `${count(delivered)} delivered, ${duration(leftMs)} left`
      : `${count(delivered)} delivered, finishing the requests in flight`
  })
}

function statusOf({ outcome }: DrainResult, endedBy: keyof typeof SIGNAL_STATUS | undefined): number {
  switch (outcome) {
    case 'empty':
      return EXIT.ok
    case 'time_is_up':
      return EXIT.timeIsUp
    case 'stopped':
      return EXIT.stopped
    case 'aborted':
      return SIGNAL_STATUS[endedBy ?? 'SIGTERM']
  }
}
