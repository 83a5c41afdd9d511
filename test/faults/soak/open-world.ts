import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { migrate } from '../../../src/store/migrate.ts'
import { startFakeCustomerIo } from '../../../src/testing/index.ts'
import { startPostgresServer } from '../support/postgres-server.ts'
import { createShop } from '../support/shop.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { Refusals } from './refusals.ts'
import { SupervisedRelay } from './supervised-relay.ts'
import { ask, onClient, type World } from './world.ts'

/** Where the relays' logs are written. Kept: they are read when something was found. */
export function logFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'customerio-outbox-soak-'))
}

/** A server with a migrated database and a shop, a fake Customer.io, and relays, each behind a proxy of its own. */
export async function openWorld(
  cleanup: AsyncDisposableStack,
  count: number,
  logs: string,
  onMisconduct: (what: string) => void,
): Promise<World> {
  const server = cleanup.adopt(await startPostgresServer(), (it) => it.close())
  const databaseUrl = new URL(server.url)
  databaseUrl.pathname = '/soak'
  const url = databaseUrl.toString()
  await ask({ databaseUrl: server.url }, 'CREATE DATABASE soak')
  await migrate({ connectionString: url })
  await onClient(url, createShop)
  const fake = cleanup.use(await startFakeCustomerIo())
  const refusals = new Refusals()
  refusals.declareTo(fake)
  const proxies: TcpProxy[] = []
  const relays: SupervisedRelay[] = []
  for (let number = 0; number < count; number++) {
    const proxy = cleanup.adopt(await startTcpProxy(url), (it) => it.close())
    proxies.push(proxy)
    relays.push(
      new SupervisedRelay({
        number,
        databaseUrl: proxy.url(url),
        customerioUrl: fake.url,
        logFile: path.join(logs, `relay-${number}.log`),
        onMisconduct,
      }),
    )
  }
  const world = { server, databaseUrl: url, proxies, relays, fake, refusals }
  endWithThisProcess(cleanup, world)
  return world
}

/** Also where it ends before its time: neither a relay nor a server is left behind. */
function endWithThisProcess(cleanup: AsyncDisposableStack, { relays, server }: World): void {
  const killAll = () => {
    for (const relay of relays) relay.killNow()
    if (server.pid !== undefined) process.kill(server.pid, 'SIGQUIT')
  }
  process.once('exit', killAll)
  cleanup.defer(async () => {
    await Promise.all(relays.map((relay) => relay.kill()))
    process.off('exit', killAll)
  })
}
