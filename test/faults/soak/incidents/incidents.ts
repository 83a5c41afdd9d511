import { setTimeout as delay } from 'node:timers/promises'
import type { Misbehaviour } from '../../../../src/testing/index.ts'
import { LOSES_COMMITS } from '../../support/servers/postgres-server.ts'
import type { Faults } from '../../support/network/tcp-proxy.ts'
import type { Incident } from './schedule.ts'
import { query, onClient, type Environment } from '../environment.ts'

type Of<Kind extends Incident['kind']> = Extract<Incident, { readonly kind: Kind }>

/**
 * Applies one incident and, if it has a duration, ends it. `stopping` ends it early, so that no incident outlives the
 * soak.
 */
export async function applyIncident(
  environment: Environment,
  incident: Incident,
  stopping: AbortSignal,
): Promise<void> {
  const waitFor = (ms: number) => delay(ms, undefined, { signal: stopping }).catch(() => {})
  /** Waits `ms`, and then until the writers have committed something since the call, so that a crash can lose commits. */
  const commitsFor = async (ms: number) => {
    const { acknowledged } = environment.ledger
    const before = acknowledged.size
    await waitFor(ms)
    while (acknowledged.size === before && !stopping.aborted) await waitFor(20)
  }
  const during = async (ms: number, misbehaviour: Misbehaviour) => {
    const end = environment.fake.misbehave(misbehaviour)
    await waitFor(ms)
    end()
  }
  const withLatency = async (ms: number, work: () => Promise<void>) => {
    const end = environment.fake.misbehave({ kind: 'latency', ms })
    await work().finally(end)
  }
  switch (incident.kind) {
    case 'kill':
    case 'deploy': {
      const relay = itemAt(environment.relays, incident.relay)
      await (incident.kind === 'kill' ? relay.kill() : relay.stop())
      await waitFor(incident.downMs)
      return relay.start()
    }
    case 'freeze': {
      const relay = itemAt(environment.relays, incident.relay)
      relay.signal('SIGSTOP')
      await waitFor(incident.forMs)
      return relay.signal('SIGCONT')
    }
    case 'cut':
      itemAt(environment.proxies, incident.relay).cut(incident.how)
      return
    case 'swallow':
      // The open connections stay silent for good, and their clients have to notice it. New connections work.
      itemAt(environment.proxies, incident.relay).set(swallowing(incident.direction))
      return
    case 'slow': {
      const proxy = itemAt(environment.proxies, incident.relay)
      const faults = { up: { delayMs: incident.delayMs }, down: { delayMs: incident.delayMs } }
      const slowed = new Set(proxy.connections)
      proxy.set(faults)
      await waitFor(incident.forMs)
      proxy.set({}, (connection) => slowed.has(connection))
      return
    }
    case 'refuse': {
      const proxy = itemAt(environment.proxies, incident.relay)
      await proxy.refuse()
      proxy.cut('rst')
      await waitFor(incident.forMs)
      return proxy.restore()
    }
    case 'terminate':
      return terminate(environment, incident)
    case 'postgres':
      return exclusively(environment, () => restartPostgres(environment, incident, waitFor))
    case 'failover':
      return exclusively(environment, () =>
        withLatency(incident.latencyMs, () => failOver(environment, () => commitsFor(incident.lagMs))),
      )
    case 'lossy crash':
      return exclusively(environment, () =>
        withLatency(incident.latencyMs, () => crashLossily(environment, incident, commitsFor, waitFor)),
      )
    case 'clock':
      return environment.clock?.set(incident.offsetSeconds)
    case 'latency':
      return during(incident.forMs, { kind: 'latency', ms: incident.ms })
    case 'outage':
      return during(incident.forMs, { kind: 'outage', status: incident.status })
    case '207':
    case '400': {
      const end = environment.refusals.begin(incident.kind, incident.oneIn)
      await waitFor(incident.forMs)
      return end()
    }
    case 'gateway': {
      const end = environment.gateway.begin(incident.answer, incident.ref)
      await waitFor(incident.forMs)
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

function itemAt<T>(list: readonly T[], number: number): T {
  const one = list[number]
  if (one === undefined) throw new Error(`Expected an index below ${list.length}, got ${number}`)
  return one
}

function swallowing(direction: Of<'swallow'>['direction']): Faults {
  return {
    up: { swallow: direction !== 'down' },
    down: { swallow: direction !== 'up' },
  }
}

async function terminate(environment: Environment, { sessions }: Of<'terminate'>): Promise<void> {
  const whose = { relays: "LIKE 'customerio-outbox%'", writers: "LIKE 'writer %'", all: "<> ''" }[sessions]
  await query(
    environment,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name ${whose}`,
  )
}

async function restartPostgres(
  { pair: { primary } }: Environment,
  { how, downMs }: Of<'postgres'>,
  waitFor: (ms: number) => Promise<unknown>,
): Promise<void> {
  if (how === 'crash') await primary.crash()
  else await primary.stop(how)
  await waitFor(downMs)
  await primary.start()
}

async function failOver(
  { pair, ledger }: Environment,
  untilCommitted: () => Promise<unknown>,
): Promise<void> {
  if (!pair.standby) await pair.addStandby() // the previous failover failed half-way
  await pair.lag()
  await untilCommitted()
  await pair.failover(() => ledger.beginLoss())
  await pair.addStandby()
}

async function crashLossily(
  { pair: { primary }, ledger }: Environment,
  { forMs, downMs }: Of<'lossy crash'>,
  commitsFor: (ms: number) => Promise<unknown>,
  waitFor: (ms: number) => Promise<unknown>,
): Promise<void> {
  const settings = LOSES_COMMITS.map((each) => each.split('='))
  await onClient(primary.url, async (client) => {
    for (const [name, value] of settings) await client.query(`ALTER SYSTEM SET ${name} = '${value}'`)
    await client.query('SELECT pg_reload_conf()')
  })
  await commitsFor(forMs)
  await primary.crash()
  ledger.beginLoss()
  await waitFor(downMs)
  await primary.start()
  await onClient(primary.url, async (client) => {
    for (const [name] of settings) await client.query(`ALTER SYSTEM RESET ${name}`)
    await client.query('SELECT pg_reload_conf()')
  })
}

const turns = new WeakMap<Environment, Promise<unknown>>()

/** Runs restarts one at a time: the next one waits until the server is back. */
function exclusively(environment: Environment, work: () => Promise<void>): Promise<void> {
  const turn = (turns.get(environment) ?? Promise.resolve()).catch(() => {}).then(work)
  turns.set(environment, turn)
  return turn
}
