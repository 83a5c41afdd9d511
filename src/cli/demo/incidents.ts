import { setTimeout as delay } from 'node:timers/promises'
import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import type { Monitor } from './monitor.ts'
import type { RelayProcess } from './relay-process.ts'
import { REFUSED_NOTE } from './shop/shop.ts'

export interface IncidentOptions {
  readonly fake: FakeCustomerIo
  readonly relays: readonly RelayProcess[]
  readonly monitor: Monitor
  readonly outageMs: number
  /** How long the shop is open. */
  readonly durationMs: number
  readonly signal: AbortSignal
  readonly event: (text: string) => void
  /** What happens from now on. */
  readonly now: (text: string) => void
}

/** When it was not as on other days, in Unix ms. */
export interface Disturbance {
  readonly from: number
  readonly until: number
}

/** From the kill to the outage: time for the fleet to meet both at once. */
const KILL_BEFORE_OUTAGE_MS = 1_500
/** A killed relay's lanes come back when its heartbeats are missed, which takes 10 to 16 s. */
const RECOVERY_AT_MOST_MS = 40_000
const RESETS = 3

/** How long the shop must be open for all of it to happen while it is. */
export function durationFor(outageMs: number): number {
  return 2 * outageMs + 8_000
}

/** The bad day: connection resets, a relay killed, Customer.io down, and back. Resolves when all is well again. */
export async function playIncidents(options: IncidentOptions): Promise<Disturbance> {
  const { fake, signal, event, now, durationMs, outageMs, monitor } = options
  const wait = (ms: number) => delay(ms, undefined, { signal })
  refuseNotes(fake)
  await wait(durationMs * 0.12)
  resetConnections(options)
  await wait(durationMs * 0.13)
  const from = Date.now()
  const killed = await killBusiest(options)
  await wait(KILL_BEFORE_OUTAGE_MS)

  now('Customer.io is down: every request is answered 503, or reset')
  event(`outage begins: ${outageMs / 1_000} s of 503 and connection resets`)
  let requests = 0
  fake.misbehave({ kind: 'reset', after: 'before', match: () => ++requests % 3 === 0 })
  fake.misbehave({ kind: 'outage' })
  await wait(outageMs)
  fake.behave()
  refuseNotes(fake)
  event('outage ends: Customer.io answers again')
  now('recovering: one probe, then every lane at once')

  const isClosed = () => (monitor.sight.breaker?.state ?? 'closed') === 'closed'
  await monitor.until(isClosed, RECOVERY_AT_MOST_MS, signal)
  const isBack = () =>
    isClosed() &&
    monitor.sight.lagSeconds < 1 &&
    (monitor.sight.pending === 0 ||
      !monitor.sight.relays.some((r) => r.relayId === killed.relayId && r.lanesHeld > 0))
  if (killed.lanes > 0 && !isBack())
    now(`waiting for the lanes of ${killed.name}: its missed heartbeats hand them on`)
  const recovered = await monitor.until(isBack, RECOVERY_AT_MOST_MS, signal)
  const until = Date.now()
  if (recovered) event('the backlog is worked off, and every lane has a living relay')
  now('business as usual')
  return { from, until }
}

/** What a real workspace does with a few of many thousand events: they become dead letters. */
function refuseNotes(fake: FakeCustomerIo): void {
  fake.misbehave({ kind: 'refuse', operation: ({ attributes }) => attributes?.note === REFUSED_NOTE })
}

function resetConnections({ fake, event }: IncidentOptions): void {
  fake.misbehave({ kind: 'reset', after: 'apply', times: RESETS })
  event(`Customer.io takes ${RESETS} requests and resets the connection instead of an answer`)
}

/** Kills the first relay that is seen with lanes in its hands. */
async function killBusiest({ relays, monitor, signal, event, now }: IncidentOptions) {
  const holding = () =>
    monitor.sight.relays.find(
      (row) => row.lanesHeld > 0 && relays.some(({ relayId }) => relayId === row.relayId),
    )
  await monitor.until(() => holding() !== undefined, 2_000, signal)
  const victim = relays.find(({ relayId }) => relayId === holding()?.relayId) ?? relays[0]
  if (!victim) throw new Error('the demo has no relay to kill')
  const lanes = holding()?.lanesHeld ?? 0
  victim.kill()
  await victim.gone()
  event(`${victim.name} is killed (SIGKILL) with ${lanes === 1 ? 'a lane' : `${lanes} lanes`} in its hands`)
  now(`${victim.name} is dead, the other one goes on`)
  return { name: victim.name, relayId: victim.relayId, lanes }
}
