import type { Answer } from '../../customerio/answers/answer.ts'
import { createAppTransport } from '../../customerio/transports/app-transport.ts'
import { createBroadcastTransport } from '../../customerio/transports/broadcast-transport.ts'
import { createPipelinesTransport } from '../../customerio/transports/pipelines-transport.ts'
import { createTrackTransport } from '../../customerio/transports/track-transport.ts'
import type { Transport } from '../../customerio/transports/transport.ts'
import type { Api } from '../../intent/operations.ts'
import type { Database } from '../../store/connection/database.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { type RateLimit, takeTokens } from '../../store/breakers/take-tokens.ts'
import type { PreparedRow } from './cut-batch.ts'
import { type Holding, holdingOf } from './holding.ts'
import { RateLimiter } from './rate-limiter.ts'
import type { ResolvedWorkspace } from '../options-schema.ts'
import { payloadDaysOf } from './payload-days.ts'
import { prepareRow } from './prepare-row.ts'
import { recipientAllowlist } from './recipient-allowlist.ts'
import { SupersededError } from '../breaker/superseded-error.ts'

/** One API of one workspace: what a lane worker needs to send its intents. */
export interface Destination {
  /** `<workspace>/<api>` */
  readonly name: string
  readonly transport: Transport
  /**
   * Whether its intents must not be sent twice. Messages and broadcasts have no idempotency key, so they are marked before
   * they are sent.
   */
  readonly nonIdempotent: boolean
  /** Seconds. Older intents become dead letters of reason `expired`. Undefined: no limit. */
  readonly maxAgeSeconds: number | undefined
  /** For how many days the payloads of delivered intents are kept. Undefined: they are not kept. */
  readonly payloadDays: number | undefined
  /** Which dead letters hold later intents of their key. Undefined: none. */
  readonly holding: Holding | undefined
  readonly prepare: (row: QueuedIntent) => PreparedRow
  /** Acquires a token of the fleet's rate limit for one request. Resolves with 0, or with the milliseconds to wait. */
  readonly acquireToken: (bulk: boolean) => Promise<number>
}

/**
 * Requests of the whole fleet per second. The Track API counts requests, not the intents in them; a broadcast may be
 * triggered once in ten seconds (third parties report both). The Pipelines API documents 3,000 requests in 3 s.
 */
const DEFAULT_LIMITS: Record<Api, number> = { track: 100, app: 100, broadcast: 0.1, pipelines: 1_000 }
/** Share of a limit that bulk lanes may use: a backfill never takes the last request from live traffic. */
const BULK_SHARE = 0.5

/**
 * Milliseconds for which a destination with former settings makes its lanes wait. A turn does not sleep this long
 * (`MAX_SLEEP_MS`), so it hands its lane back.
 */
const RETIRED_WAIT_MS = 300
/**
 * The time, in request timeouts, after which connections with former settings are closed. A request that was in flight when
 * the settings changed takes no longer, with its retries.
 */
const RETIRED_TIMEOUTS = 7

type Opened = Destination & { retire(): void }

/** The destinations for which this relay has credentials. */
export class Destinations {
  readonly #db: Database
  readonly #timeoutMs: number
  readonly #retired = new Set<Opened>()
  #byName = new Map<string, Opened>()
  #settings = new Map<string, string>()

  constructor(db: Database, timeoutMs: number, workspaces: Readonly<Record<string, ResolvedWorkspace>>) {
    this.#db = db
    this.#timeoutMs = timeoutMs
    this.#byName = this.#open(workspaces, new Map())
  }

  get(name: string): Destination | undefined {
    return this.#byName.get(name)
  }

  get names(): string[] {
    return [...this.#byName.keys()]
  }

  /**
   * Applies changed settings from the next request on. Lanes that are worked with the former settings are handed back after
   * the request in flight. Destinations that did not change keep their connections.
   *
   * @returns the names of new and changed destinations.
   */
  async update(workspaces: Readonly<Record<string, ResolvedWorkspace>>): Promise<string[]> {
    const before = this.#byName
    this.#byName = this.#open(workspaces, before)
    for (const [name, destination] of before) {
      if (this.#byName.get(name) !== destination) this.#retire(destination)
    }
    return this.names.filter((name) => before.get(name) !== this.#byName.get(name))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byName.values(), ...this.#retired].map(({ transport }) => transport.close()))
  }

  #retire(destination: Opened): void {
    destination.retire()
    this.#retired.add(destination)
    setTimeout(() => {
      this.#retired.delete(destination)
      void destination.transport.close()
    }, this.#timeoutMs * RETIRED_TIMEOUTS).unref()
  }

  #open(workspaces: Readonly<Record<string, ResolvedWorkspace>>, before: Map<string, Opened>) {
    const opened = new Map<string, Opened>()
    const settings = new Map<string, string>()
    for (const [workspace, options] of Object.entries(workspaces)) {
      for (const [api, createTransport] of Object.entries(transportsOf(options, this.#timeoutMs))) {
        const name = `${workspace}/${api}`
        const fingerprint = JSON.stringify(options)
        const kept = this.#settings.get(name) === fingerprint ? before.get(name) : undefined
        opened.set(name, kept ?? this.#create(name, api as Api, options, createTransport()))
        settings.set(name, fingerprint)
      }
    }
    this.#settings = settings
    return opened
  }

  #create(name: string, api: Api, options: ResolvedWorkspace, transport: Transport): Opened {
    const { maxAgeSeconds } = options
    const { checkCredential } = transport
    const allows = recipientAllowlist(options.allowRecipients)
    const requests = options.requestsPerSecond?.[api] ?? DEFAULT_LIMITS[api]
    const limiter = this.#limiter(name, requests)
    const bulkLimiter = this.#limiter(`${name}#bulk`, requests * BULK_SHARE)
    const nonIdempotent = api === 'app' || api === 'broadcast'
    let retired = false
    return {
      name,
      transport: {
        ...transport,
        send: async (items) => {
          const answer = await transport.send(items)
          if (retired && concernsSettings(answer, nonIdempotent)) throw new SupersededError(name)
          return answer
        },
        ...(checkCredential && {
          // An answer about the former credential says nothing about the new one.
          checkCredential: async () => {
            const result = await checkCredential()
            return retired ? 'unknown' : result
          },
        }),
      },
      nonIdempotent,
      maxAgeSeconds,
      payloadDays: payloadDaysOf(options),
      holding: holdingOf(options.onDead),
      prepare: (row) => prepareRow(transport, { maxAgeSeconds, allows }, row),
      acquireToken: async (bulk) => {
        if (retired) return RETIRED_WAIT_MS
        const bulkWaitMs = bulk ? await bulkLimiter.acquire() : 0
        if (bulkWaitMs > 0) return bulkWaitMs
        const waitMs = await limiter.acquire()
        if (bulk && waitMs > 0) bulkLimiter.release()
        return waitMs
      },
      retire: () => {
        retired = true
      },
    }
  }

  #limiter(name: string, requestsPerSecond: number): RateLimiter {
    const limit: RateLimit =
      requestsPerSecond >= 1
        ? { requests: requestsPerSecond, perMs: 1_000 }
        : { requests: 1, perMs: 1_000 / requestsPerSecond }
    return new RateLimiter(limit, (count) => takeTokens(this.#db, name, count, limit))
  }
}

/**
 * Whether an answer is about the settings of its request only. A refused key or a failing host says nothing about newer
 * settings, so it must neither pause nor open the breaker. The exception is a message or broadcast that may have been sent:
 * its answer is kept, because it must not be sent twice.
 */
function concernsSettings(answer: Answer, nonIdempotent: boolean): boolean {
  if (answer.kind === 'credential') return true
  return answer.kind === 'unavailable' && (!nonIdempotent || answer.outcome === 'not_applied')
}

function transportsOf(options: ResolvedWorkspace, timeoutMs: number): Partial<Record<Api, () => Transport>> {
  const { siteId, trackApiKey, appApiKey, pipelinesWriteKey } = options
  return {
    ...(siteId !== undefined &&
      trackApiKey !== undefined && {
        track: () => createTrackTransport({ ...options, siteId, trackApiKey }, timeoutMs, options),
      }),
    ...(appApiKey !== undefined && {
      app: () => createAppTransport({ ...options, appApiKey }, timeoutMs),
      broadcast: () => createBroadcastTransport({ ...options, appApiKey }, timeoutMs),
    }),
    ...(pipelinesWriteKey !== undefined && {
      pipelines: () => createPipelinesTransport({ ...options, pipelinesWriteKey }, timeoutMs),
    }),
  }
}
