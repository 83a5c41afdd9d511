import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { Names } from '../../store/names.ts'
import { removeRelay } from '../../store/fleet/relay-registry.ts'
import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import { keepSecret } from '../errors.ts'
import type { Stage } from './stage.ts'
import { RelayProcess } from './relay-process.ts'

export interface FleetOptions {
  readonly stage: Stage
  readonly names: Names
  readonly pool: pg.Pool
  readonly databaseUrl: string
  readonly fake: FakeCustomerIo
}

export interface Fleet {
  readonly relays: readonly RelayProcess[]
  /** Stops those that live; resolves with what went wrong, a sentence each. */
  stop(): Promise<string[]>
}

/** Production waits 30 s before a probe, growing: an outage of seconds wants it shorter. */
const BREAKER = ['--breaker-half-open-after', '1', '--breaker-max-half-open-after', '2']

/** Starts two relays and waits until both take part. */
export async function startFleet({ stage, names, pool, databaseUrl, fake }: FleetOptions): Promise<Fleet> {
  const { abort, cleanup } = stage
  const key = randomBytes(12).toString('hex')
  keepSecret(key)
  fake.credentials = { siteId: 'demo', apiKey: key }
  const environment = {
    DATABASE_URL: databaseUrl,
    OUTBOX_SCHEMA: names.schema,
    CUSTOMERIO_SITE_ID: 'demo',
    CUSTOMERIO_TRACK_API_KEY: key,
    CUSTOMERIO_TRACK_URL: fake.url,
    CUSTOMERIO_REGION: 'us',
    LOG_LEVEL: 'info',
    // What the caller has set for relays of their own is not for these.
    OUTBOX_CONFIG: '',
    CUSTOMERIO_APP_API_KEY: '',
    CUSTOMERIO_PIPELINES_WRITE_KEY: '',
  }
  const relays = ['A', 'B'].map(
    (letter) =>
      new RelayProcess({
        name: `relay ${letter}`,
        environment,
        args: [...BREAKER, '--no-check-region'],
        onDeath: (error) => abort.abort(error),
      }),
  )
  const killAll = () => {
    for (const relay of relays) relay.kill()
  }
  process.once('exit', killAll)
  cleanup.defer(async () => {
    killAll()
    process.off('exit', killAll)
    await Promise.all(relays.map((relay) => relay.gone()))
    await forget(relays, names, pool)
  })
  await Promise.all(relays.map((relay) => relay.started()))
  return { relays, stop: () => stopAll(relays) }
}

async function stopAll(relays: readonly RelayProcess[]): Promise<string[]> {
  const living = relays.filter((relay) => relay.alive)
  const statuses = await Promise.all(living.map((relay) => relay.stop()))
  return living.flatMap(({ name }, index) =>
    statuses[index] === 0 ? [] : [`${name} ended with status ${statuses[index]} after SIGTERM`],
  )
}

/** A killed relay would be counted among the living for half a minute: the next demo would take it for a real one. */
async function forget(relays: readonly RelayProcess[], names: Names, pool: pg.Pool): Promise<void> {
  const db = {
    names,
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await pool.query(text, [...values])).rows as Row[],
  }
  for (const { relayId } of relays) if (relayId !== undefined) await removeRelay(db, relayId)
}
