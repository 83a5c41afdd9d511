import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { migrate } from '../../../src/store/migrate/migrate.ts'
import { startFakeCustomerIo } from '../../../src/testing/index.ts'
import { startPair } from '../support/failover.ts'
import { startGateway } from '../support/gateway.ts'
import { createServerClock, findFaketime } from '../support/server-clock.ts'
import { createShop, Ledger } from '../support/shop.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { GatewayAnswers } from './gateway-answers.ts'
import { Refusals } from './refusals.ts'
import { SupervisedRelay } from './supervised-relay.ts'
import { ask, onClient, type World } from './world.ts'

/** Where the relays' logs are written. Kept: they are read when something was found. */
export function logFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'customerio-outbox-soak-'))
}

/**
 * A primary and its replica with a migrated database and a shop, a fake Customer.io behind a gateway, and relays, each
 * with a route of its own to the primary.
 */
export async function openWorld(
  cleanup: AsyncDisposableStack,
  count: number,
  logs: string,
  onMisconduct: (what: string) => void,
): Promise<World> {
  const library = findFaketime('every step of the clock')
  const clock = library ? cleanup.adopt(await createServerClock(library), (it) => it.close()) : undefined
  const pair = cleanup.adopt(await startPair(clock ? { clock } : {}), (it) => it.close())
  const databaseUrl = new URL(pair.url)
  databaseUrl.pathname = '/soak'
  const url = databaseUrl.toString()
  await ask({ databaseUrl: pair.url }, 'CREATE DATABASE soak')
  await migrate({ connectionString: url })
  await onClient(url, createShop)
  const fake = cleanup.use(await startFakeCustomerIo())
  const refusals = new Refusals()
  refusals.declareTo(fake)
  const gateway = new GatewayAnswers()
  const inBetween = cleanup.adopt(await startGateway(fake, { remember: false }), (it) => it.close())
  inBetween.intercept(gateway.intercept)
  const proxies: TcpProxy[] = []
  const relays: SupervisedRelay[] = []
  for (let number = 0; number < count; number++) {
    const proxy = await pair.route()
    proxies.push(proxy)
    relays.push(
      new SupervisedRelay({
        number,
        databaseUrl: proxy.url(url),
        customerioUrl: inBetween.url,
        logFile: path.join(logs, `relay-${number}.log`),
        onMisconduct,
      }),
    )
  }
  const ledger = new Ledger()
  const world = { pair, clock, databaseUrl: url, proxies, relays, fake, refusals, gateway, ledger }
  endWithThisProcess(cleanup, world)
  return world
}

/** Also where it ends before its time: no relay and no server is left behind. */
function endWithThisProcess(cleanup: AsyncDisposableStack, { relays, pair }: World): void {
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
