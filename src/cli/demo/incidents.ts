import { setTimeout as delay } from 'node:timers/promises'
import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import type { Monitor } from './monitor.ts'
import type { Narrator } from './narrator.ts'
import type { Fleet } from './processes/fleet.ts'
import type { Progress } from './read-progress.ts'
import { REFUSED_NOTE } from './shop/shop.ts'

export interface IncidentOptions {
  readonly fake: FakeCustomerIo
  readonly fleet: Fleet
  readonly monitor: Monitor
  readonly narrator: Narrator
  readonly outageMs: number
  /** How long the shop is open. */
  readonly durationMs: number
  readonly signal: AbortSignal
}

/** From the kill to the end of the recovery, in Unix ms. */
export interface Disturbance {
  readonly from: number
  readonly until: number
}

/** From the kill to the outage. The outage begins before the restart, so that the fleet has both failures at once. */
const KILL_BEFORE_OUTAGE_MS = 1_500
/** From the kill to the restart: what a supervisor such as systemd or Kubernetes typically takes. */
const RESTART_AFTER_MS = 4_000
/** Limit of each wait. Other relays take a killed relay's lanes when its heartbeats are missed, which takes 10 to 16 s. */
const RECOVERY_AT_MOST_MS = 40_000
const RESETS = 3

/** Milliseconds that the shop must be open for every incident to happen meanwhile. */
export function durationFor(outageMs: number): number {
  return 2 * outageMs + 8_000
}

/** Plays connection resets, a killed relay and an outage. Resolves when the fleet delivers from every lane again. */
export async function playIncidents(options: IncidentOptions): Promise<Disturbance> {
  const { signal, narrator, durationMs } = options
  const wait = (ms: number) => delay(ms, undefined, { signal })
  refuseNotes(options.fake)
  await wait(durationMs * 0.12)
  resetConnections(options)
  await wait(durationMs * 0.13)
  const from = Date.now()
  const killed = await killRelayAtWork(options)
  const restarted = wait(RESTART_AFTER_MS).then(() => restart(options, killed.name))
  restarted.catch(() => {}) // reported below
  await wait(KILL_BEFORE_OUTAGE_MS)
  await playOutage(options)
  await Promise.all([restarted, recover(options, killed)])
  narrator.now('business as usual')
  return { from, until: Date.now() }
}

async function playOutage({ fake, narrator, outageMs, signal }: IncidentOptions): Promise<void> {
  narrator.now('Customer.io is down: it answers 503 or resets')
  narrator.event(`the outage begins: ${outageMs / 1_000} s of 503 and connection resets`)
  let requests = 0
  fake.misbehave({ kind: 'reset', after: 'before', match: () => ++requests % 3 === 0 })
  fake.misbehave({ kind: 'outage' })
  await delay(outageMs, undefined, { signal })
  fake.behave()
  refuseNotes(fake)
  narrator.event('the outage ends: Customer.io answers again')
  narrator.now('recovering: probes first, then every lane')
}

interface Killed {
  readonly name: string
  readonly relayId: string | undefined
  readonly lanes: number
}

async function recover({ monitor, narrator, signal }: IncidentOptions, killed: Killed): Promise<void> {
  const isClosed = ({ breaker }: Progress) => (breaker?.state ?? 'closed') === 'closed'
  const hasLanes = ({ relays }: Progress) =>
    relays.some(({ relayId, lanesHeld }) => relayId === killed.relayId && lanesHeld > 0)
  const isRecovered = (progress: Progress) =>
    isClosed(progress) && progress.lagSeconds < 1 && (progress.backlog === 0 || !hasLanes(progress))
  const closed = await monitor.until(isClosed, RECOVERY_AT_MOST_MS, signal)
  if (closed && hasLanes(closed)) narrator.now(`waiting for the lanes that ${killed.name} held when it died`)
  const recovered = await monitor.until(isRecovered, RECOVERY_AT_MOST_MS, signal)
  if (recovered) narrator.event('the backlog is delivered, and every lane has a living relay')
}

/** Makes the fake refuse orders with a certain note, so that a few become dead letters as in a real workspace. */
function refuseNotes(fake: FakeCustomerIo): void {
  fake.misbehave({ kind: 'refuse', operation: ({ attributes }) => attributes?.note === REFUSED_NOTE })
}

function resetConnections({ fake, narrator }: IncidentOptions): void {
  fake.misbehave({ kind: 'reset', after: 'apply', times: RESETS })
  narrator.event(`Customer.io takes ${RESETS} requests and resets the connection unanswered`)
}

/** Kills a relay that holds lanes. If no relay holds any within two seconds, kills the first one. */
async function killRelayAtWork({ fleet, monitor, narrator, signal }: IncidentOptions): Promise<Killed> {
  const holders = ({ relays }: Progress) =>
    relays.flatMap(({ relayId, lanesHeld }) => {
      const name = fleet.nameOf(relayId)
      return name !== undefined && lanesHeld > 0 ? [{ name, lanes: lanesHeld }] : []
    })
  const progress = await monitor.until((each) => holders(each).length > 0, 2_000, signal)
  const { name, lanes } = (progress && holders(progress)[0]) ?? { name: 'relay A', lanes: 0 }
  const relayId = await fleet.kill(name)
  narrator.event(`${name} is killed by SIGKILL; it held ${lanes} ${lanes === 1 ? 'lane' : 'lanes'}`)
  narrator.now(`${name} is dead, the other relay goes on`)
  return { name, relayId, lanes }
}

async function restart({ fleet, narrator }: IncidentOptions, name: string): Promise<void> {
  narrator.event(`the supervisor restarts ${name}`)
  await fleet.restart(name)
  narrator.event(`${name} has started: ${fleet.alive} of ${fleet.size} relays are alive`)
}
