import { EventEmitter } from 'node:events'
import type { RelayEvents } from '../../relay/events.ts'
import { type ResolvedRelayOptions, resolveRelayOptions } from '../../relay/options-schema.ts'
import type { RelayEncryption, WorkspaceOptions } from '../../relay/options.ts'
import { type Database, openDatabase } from '../../store/connection/database.ts'
import { SCHEDULED_LANE } from '../../store/lanes/lane.ts'
import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import type { PgliteLike } from '../pglite.ts'
import type { Delivery, DeliveryDeadLetter } from './delivery.ts'
import { endWaits } from './end-waits.ts'
import { runOnePass } from './one-pass.ts'
import { pgliteDatabase } from './pglite-database.ts'

/** The highest rate: no request of a test waits for the rate limit of a fleet. */
const UNLIMITED = 100_000
/** An hour. Neither an intent that failed alone nor a destination that failed is tried again in the same pass. */
const NEVER_MS = 3_600_000

interface DeliverOnce {
  readonly fake: FakeCustomerIo
  readonly from: string | PgliteLike
  readonly settings: Partial<WorkspaceOptions>
  readonly schema: string | undefined
  readonly encryption: RelayEncryption | undefined
}

/** What `deliverInto` does, apart from its checks. */
export async function deliverOnce(given: DeliverOnce): Promise<Delivery> {
  const { fake, from, settings, schema, encryption } = given
  const db =
    typeof from === 'string'
      ? openDatabase({ connectionString: from, schema, applicationName: 'customerio-outbox deliverInto' })
      : pgliteDatabase(from, schema)
  try {
    const events = new EventEmitter<RelayEvents>()
    const counts = countsOf(events)
    const workspaces = await readWorkspaces(db)
    if (workspaces.length > 0) {
      await refuseLivingRelay(db)
      const workspace = { ...credentialsOf(fake), ...settings, ...addressesOf(fake) }
      const options = relayOptions(workspaces, workspace, encryption)
      await endWaits(db)
      await runOnePass(db, options, (name, ...payload) => events.emit(name, ...(payload as never)))
    }
    const failures = new Set([...counts.failures, ...(await readStops(db))])
    return { ...counts, failures: [...failures], ...(await readQueue(db)) }
  } finally {
    await db.close()
  }
}

/**
 * The intents of a database that a relay serves are meant for Customer.io, and the fake would swallow them. A relay that has
 * ended without SIGTERM counts for two minutes.
 */
async function refuseLivingRelay(db: Database): Promise<void> {
  const [relay] = await db.query<{ host: string }>(
    `SELECT host FROM ${db.names.q}.relays WHERE last_seen_at > now() - interval '2 minutes' LIMIT 1`,
  )
  if (!relay) return
  throw new Error(
    `Expected a test database that no relay serves, got one that a relay on ${relay.host} serves: pass the URL of a test database as from, or stop the relay`,
  )
}

/** Adds up what the relay's events report. */
function countsOf(events: EventEmitter<RelayEvents>) {
  const counts = {
    delivered: 0,
    suppressed: 0,
    deadLetters: [] as DeliveryDeadLetter[],
    failures: new Set<string>(),
  }
  events.on('settled', ({ delivered, suppressed }) => {
    counts.delivered += delivered
    counts.suppressed += suppressed
  })
  events.on('deadLetter', ({ seq: _seq, ...deadLetter }) => counts.deadLetters.push(deadLetter))
  events.on('laneFailed', ({ destination, message }) => counts.failures.add(`${destination}: ${message}`))
  return counts
}

function relayOptions(
  workspaces: readonly string[],
  settings: WorkspaceOptions,
  encryption: RelayEncryption | undefined,
): ResolvedRelayOptions {
  const rates = { track: UNLIMITED, app: UNLIMITED, broadcast: UNLIMITED, pipelines: UNLIMITED }
  const workspace = { requestsPerSecond: rates, ...settings }
  return resolveRelayOptions({
    connectionString: 'unused', // the pass gets its database
    workspaces: Object.fromEntries(workspaces.map((name) => [name, workspace])),
    encryption,
    // A request that fails is compared with others, to learn whether the destination or an intent is to blame. `initialDelayMs`
    // is the pause between these, and the breaker ends them.
    retry: { maxRetries: 0, initialDelayMs: 1 },
    intentRetry: { initialDelayMs: NEVER_MS, maxDelayMs: NEVER_MS },
    breaker: { halfOpenAfterMs: NEVER_MS, maxHalfOpenAfterMs: NEVER_MS, rejections: 0 },
  })
}

/** Credentials that the fake accepts. */
function credentialsOf({ credentials }: FakeCustomerIo): WorkspaceOptions {
  const { siteId = 'any', apiKey = 'any', appApiKey = 'any', pipelinesWriteKey = 'any' } = credentials
  return { siteId, trackApiKey: apiKey, appApiKey, pipelinesWriteKey }
}

/** The addresses of the fake. They come last: nothing in the settings of a test may lead to Customer.io. */
function addressesOf({ url }: FakeCustomerIo): WorkspaceOptions {
  return { trackUrl: url, appUrl: url, pipelinesUrl: url, region: undefined }
}

/** The workspaces that have intents in the queue. */
async function readWorkspaces(db: Database): Promise<string[]> {
  const rows = await db.query<{ workspace: string }>(
    `SELECT DISTINCT split_part(destination, '/', 1) AS workspace FROM ${db.names.q}.intents ORDER BY 1`,
  )
  return rows.map(({ workspace }) => workspace)
}

async function readQueue(db: Database): Promise<Pick<Delivery, 'pending' | 'scheduled'>> {
  const [row] = await db.query<Pick<Delivery, 'pending' | 'scheduled'>>(
    `SELECT (count(*) FILTER (WHERE lane <> ${SCHEDULED_LANE}))::int AS pending,
            (count(*) FILTER (WHERE lane = ${SCHEDULED_LANE}))::int AS scheduled FROM ${db.names.q}.intents`,
  )
  return row ?? { pending: 0, scheduled: 0 }
}

/** Why destinations have stopped: a refused credential, a rate limit, or an operator's pause. */
async function readStops(db: Database): Promise<string[]> {
  const rows = await db.query<{ failure: string }>(
    `SELECT destination || ': ' || coalesce(last_error, state) AS failure FROM ${db.names.q}.breakers
     WHERE state <> 'closed' OR rate_limited_until > clock_timestamp() ORDER BY 1`,
  )
  return rows.map(({ failure }) => failure)
}
