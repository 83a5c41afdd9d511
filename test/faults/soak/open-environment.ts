import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { migrate } from '../../../src/store/migrate/migrate.ts'
import { startFakeCustomerIo } from '../../../src/testing/index.ts'
import { startPair } from '../support/servers/failover.ts'
import { startGateway } from '../support/network/gateway.ts'
import { createServerClock, findFaketime } from '../support/servers/server-clock.ts'
import { createShop, Ledger } from '../support/shop/shop.ts'
import type { TcpProxy } from '../support/network/tcp-proxy.ts'
import { GatewayAnswers } from './incidents/gateway-answers.ts'
import { Refusals } from './incidents/refusals.ts'
import { SupervisedRelay } from './supervised-relay.ts'
import { query, onClient, type Environment } from './environment.ts'

/** Creates the folder of the relays' logs. The soak keeps it for the analysis of failures. */
export function logFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'customerio-outbox-soak-'))
}

/**
 * Starts a primary and its replica with a migrated database and a shop, a fake Customer.io behind a gateway, and relays.
 * Each relay has its own proxy to the primary.
 */
export async function openEnvironment(
  cleanup: AsyncDisposableStack,
  count: number,
  logs: string,
  onProblem: (problem: string) => void,
): Promise<Environment> {
  const library = findFaketime('every step of the clock')
  const clock = library ? cleanup.adopt(await createServerClock(library), (it) => it.close()) : undefined
  const pair = cleanup.adopt(await startPair(clock ? { clock } : {}), (it) => it.close())
  const databaseUrl = new URL(pair.url)
  databaseUrl.pathname = '/soak'
  const url = databaseUrl.toString()
  await query({ databaseUrl: pair.url }, 'CREATE DATABASE soak')
  await migrate({ connectionString: url })
  await onClient(url, createShop)
  const fake = cleanup.use(await startFakeCustomerIo())
  const refusals = new Refusals()
  refusals.applyTo(fake)
  const gateway = new GatewayAnswers()
  const gatewayServer = cleanup.adopt(await startGateway(fake, { remember: false }), (it) => it.close())
  gatewayServer.intercept(gateway.intercept)
  const proxies: TcpProxy[] = []
  const relays: SupervisedRelay[] = []
  for (let number = 0; number < count; number++) {
    const proxy = await pair.route()
    proxies.push(proxy)
    relays.push(
      new SupervisedRelay({
        number,
        databaseUrl: proxy.url(url),
        customerioUrl: gatewayServer.url,
        logFile: path.join(logs, `relay-${number}.log`),
        onProblem,
      }),
    )
  }
  const ledger = new Ledger()
  const environment = { pair, clock, databaseUrl: url, proxies, relays, fake, refusals, gateway, ledger }
  endWithThisProcess(cleanup, environment)
  return environment
}

/** Kills all relays and servers when this process exits, even if it exits early. */
function endWithThisProcess(cleanup: AsyncDisposableStack, { relays, pair }: Environment): void {
  const killAll = () => {
    for (const relay of relays) relay.killNow()
    for (const { pid } of [pair.primary, pair.standby ?? pair.primary])
      if (pid !== undefined) process.kill(pid, 'SIGQUIT')
  }
  process.once('exit', killAll)
  cleanup.defer(async () => {
    await Promise.all(relays.map((relay) => relay.kill()))
    process.off('exit', killAll)
  })
}
