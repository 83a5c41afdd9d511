import type { EventEmitter } from 'node:events'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { RelayEvents } from '../relay/events.ts'
import { VERSION } from '../version.ts'
import { deadLetterSeries, destinationSeries, nameDestinations } from './metric-series.ts'
import type { Status } from './views/read-status.ts'

/** Options of {@link createMetrics}. */
export interface MetricsOptions {
  /** Its `settled` events are counted. */
  readonly relay: Pick<EventEmitter<RelayEvents>, 'on'>
  /** Reads the views. Rejects if the database does not answer. Called once per scrape, so cache it. */
  readonly readStatus: () => Promise<Status>
  /** Destinations that the relay serves. They have series of their own even before their first intent. */
  readonly destinations: () => readonly string[]
}

/** Metrics in the exposition format of Prometheus. */
export interface Metrics {
  /** The `Content-Type` of the text. */
  readonly contentType: string
  /** Renders the text. Does not reject if the database does not answer. */
  render(): Promise<string>
}

/**
 * Creates the metrics of one relay process in a registry of their own. The gauges come from the database and are the same
 * for every relay. If the database does not answer, they are left out and `customerio_outbox_database_up` is 0.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  countSettled(registry, options.relay)
  const up = new Gauge({
    name: 'customerio_outbox_database_up',
    help: '1 if the database answers, else 0',
    registers: [registry],
  })
  const fleet = fleetGauges(registry)
  const named = new Set<string>()
  new Gauge({
    name: 'customerio_outbox_info',
    help: 'Always 1; the label has the version of this relay',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: VERSION }, 1)
  return {
    contentType: registry.contentType,
    // Fills all gauges before it renders: the registry runs its collectors concurrently, so none may fill another's gauge.
    render: async () => {
      const status = await options.readStatus().catch(() => undefined)
      up.set(status ? 1 : 0)
      fleet.reset()
      if (status) {
        nameDestinations(named, options.destinations(), status)
        fleet.fill(status, named)
      }
      return registry.metrics()
    },
  }
}

function countSettled(registry: Registry, relay: MetricsOptions['relay']): void {
  const counter = (name: string, help: string) =>
    new Counter({
      name: `customerio_outbox_${name}_total`,
      help,
      labelNames: ['destination'],
      registers: [registry],
    })
  const delivered = counter('delivered', 'Intents that this process delivered')
  const late = counter('late', 'Those of delivered_total that were delivered over 72 h after their write')
  const suppressed = counter('suppressed', 'Intents that this process held back because of allowRecipients')
  const dead = counter('dead_lettered', 'Intents that this process moved to the dead letters')
  relay.on('settled', (settled) => {
    const { destination } = settled
    delivered.inc({ destination }, settled.delivered)
    late.inc({ destination }, settled.late)
    suppressed.inc({ destination }, settled.suppressed)
    dead.inc({ destination }, settled.dead)
  })
}

function fleetGauges(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name: `customerio_outbox_${name}`, help, labelNames, registers: [registry] })
  const pending = gauge('pending', 'Intents that are due (an estimate over 100,000)', ['destination'])
  const scheduled = gauge('scheduled', 'Intents whose sendAfter is in the future', ['destination'])
  const held = gauge('held', 'Intents that wait behind a dead letter of their key', ['destination'])
  const lag = gauge('lag_seconds', 'Age of the oldest due intent', ['destination'])
  const breaker = gauge('breaker_state', '1 for the current state of the breaker', ['destination', 'state'])
  const failures = gauge('breaker_failures', 'Failures of the destination in a row', ['destination'])
  const dead = gauge('dead_letters', 'Dead letters that are kept', ['destination', 'operation', 'reason'])
  const alive = gauge('relays_alive', 'Relays seen within the last 30 s', [])
  return {
    reset: () => {
      for (const each of [pending, scheduled, held, lag, breaker, failures, dead, alive]) each.reset()
      alive.remove() // a gauge without labels is 0 after a reset, but its value is unknown
    },
    fill: (status: Status, named: ReadonlySet<string>) => {
      for (const one of destinationSeries(status, named)) {
        const { destination } = one
        pending.set({ destination }, one.pending)
        scheduled.set({ destination }, one.scheduled)
        held.set({ destination }, one.held)
        lag.set({ destination }, one.lagSeconds)
        failures.set({ destination }, one.failures)
        for (const [state, count] of Object.entries(one.states)) breaker.set({ destination, state }, count)
      }
      for (const { count, ...labels } of deadLetterSeries(status, named)) dead.set(labels, count)
      alive.set(status.relays.filter((relay) => relay.alive).length)
    },
  }
}
