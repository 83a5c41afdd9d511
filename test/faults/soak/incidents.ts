import { setTimeout as delay } from 'node:timers/promises'
import type { Misbehaviour } from '../../../src/testing/index.ts'
import { LOSES_COMMITS } from '../support/postgres-server.ts'
import type { Faults } from '../support/tcp-proxy.ts'
import type { Incident } from './schedule.ts'
import { ask, onClient, type World } from './world.ts'

type Of<Kind extends Incident['kind']> = Extract<Incident, { readonly kind: Kind }>

/**
 * Makes one thing go wrong, and right again where it lasts. `stopping` ends what lasts: at the end of the soak nothing
 * may go on being wrong.
 */
export async function happen(world: World, incident: Incident, stopping: AbortSignal): Promise<void> {
  const last = (ms: number) => delay(ms, undefined, { signal: stopping }).catch(() => {})
  const during = async (ms: number, misbehaviour: Misbehaviour) => {
    const end = world.fake.misbehave(misbehaviour)
    await last(ms)
    end()
  }
  const withLatency = async (ms: number, work: () => Promise<void>) => {
    const end = world.fake.misbehave({ kind: 'latency', ms })
    await work().finally(end)
  }
  switch (incident.kind) {
    case 'kill':
    case 'deploy': {
      const relay = numbered(world.relays, incident.relay)
      await (incident.kind === 'kill' ? relay.kill() : relay.stop())
      await last(incident.downMs)
      return relay.start()
    }
    case 'freeze': {
      const relay = numbered(world.relays, incident.relay)
      relay.signal('SIGSTOP')
      await last(incident.forMs)
      return relay.signal('SIGCONT')
    }
    case 'cut':
      numbered(world.proxies, incident.relay).cut(incident.how)
      return
    case 'swallow':
      // Those that are open, for good: whoever waits at one of them has to notice. New ones work.
      numbered(world.proxies, incident.relay).set(swallowing(incident.direction))
      return
    case 'slow': {
      const proxy = numbered(world.proxies, incident.relay)
      const faults = { up: { delayMs: incident.delayMs }, down: { delayMs: incident.delayMs } }
      const slowed = new Set(proxy.connections)
      proxy.set(faults)
      await last(incident.forMs)
      proxy.set({}, (connection) => slowed.has(connection))
      return
    }
    case 'refuse': {
      const proxy = numbered(world.proxies, incident.relay)
      await proxy.refuse()
      proxy.cut('rst')
      await last(incident.forMs)
      return proxy.restore()
    }
    case 'terminate':
      return terminate(world, incident)
    case 'postgres':
      return alone(world, () => restartPostgres(world, incident, last))
    case 'failover':
      return alone(world, () => withLatency(incident.latencyMs, () => failOver(world, incident, last)))
    case 'lossy crash':
      return alone(world, () => withLatency(incident.latencyMs, () => crashLossily(world, incident, last)))
    case 'clock':
      return world.clock?.set(incident.offsetSeconds)
    case 'latency':
      return during(incident.forMs, { kind: 'latency', ms: incident.ms })
    case 'outage':
      return during(incident.forMs, { kind: 'outage', status: incident.status })
    case '207':
    case '400': {
      const end = world.refusals.begin(incident.kind, incident.oneIn)
      await last(incident.forMs)
      return end()
    }
    case 'gateway': {
      const end = world.gateway.begin(incident.answer, incident.ref)
      await last(incident.forMs)
      return end()
    }
    case 'rate limit': {
      const { retryAfter, times } = incident
      const header = retryAfter === 0 ? {} : { retryAfter }
      return during(incident.forMs, { kind: 'rateLimit', times, ...header })
    }
    case 'garbage':
      return during(incident.forMs, { kind: 'garbage', times: incident.times })
    case '500':
      return during(incident.forMs, { kind: 'serverError', after: incident.after, times: incident.times })
    case 'reset':
    case 'hang':
      return during(incident.forMs, { kind: incident.kind, after: incident.after, times: incident.times })
  }
}

function numbered<T>(list: readonly T[], number: number): T {
  const one = list[number]
  if (one === undefined) throw new Error(`there is no number ${number}`)
  return one
}

function swallowing(direction: Of<'swallow'>['direction']): Faults {
  return {
    up: { swallow: direction !== 'down' },
    down: { swallow: direction !== 'up' },
  }
}

async function terminate(world: World, { sessions }: Of<'terminate'>): Promise<void> {
  const whose = { relays: "LIKE 'customerio-outbox%'", writers: "LIKE 'writer %'", all: "<> ''" }[sessions]
  await ask(
    world,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name ${whose}`,
  )
}

async function restartPostgres(
  { pair: { primary } }: World,
  { how, downMs }: Of<'postgres'>,
  last: (ms: number) => Promise<unknown>,
): Promise<void> {
  if (how === 'crash') await primary.crash()
  else await primary.stop(how)
  await last(downMs)
  await primary.start()
}

async function failOver(
  { pair, ledger }: World,
  { lagMs }: Of<'failover'>,
  last: (ms: number) => Promise<unknown>,
): Promise<void> {
  if (!pair.standby) await pair.addStandby() // the last failover did not end as planned
  await pair.lag()
  await last(lagMs)
  await pair.failover(() => ledger.beginLoss())
  await pair.addStandby()
}

async function crashLossily(
  { pair: { primary }, ledger }: World,
  { forMs, downMs }: Of<'lossy crash'>,
  last: (ms: number) => Promise<unknown>,
): Promise<void> {
  const settings = LOSES_COMMITS.map((each) => each.split('='))
  await onClient(primary.url, async (client) => {
    for (const [name, value] of settings) await client.query(`ALTER SYSTEM SET ${name} = '${value}'`)
    await client.query('SELECT pg_reload_conf()')
  })
  await last(forMs)
  await primary.crash()
  ledger.beginLoss()
  await last(downMs)
  await primary.start()
  await onClient(primary.url, async (client) => {
    for (const [name] of settings) await client.query(`ALTER SYSTEM RESET ${name}`)
    await client.query('SELECT pg_reload_conf()')
  })
}

const turns = new WeakMap<World, Promise<unknown>>()

/** One restart at a time: the next one waits for the server to be back. */
function alone(world: World, work: () => Promise<void>): Promise<void> {
  const turn = (turns.get(world) ?? Promise.resolve()).catch(() => {}).then(work)
  turns.set(world, turn)
  return turn
}
