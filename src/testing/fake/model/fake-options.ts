import { checkMilliseconds } from './active-misbehaviours.ts'
import type { FakeApi, FakeOperation } from './operation.ts'
import { checkLimits, type FakeLimits } from './rate-limits.ts'

/**
 * Options of {@link startFakeCustomerIo}.
 *
 * @example
 * ```ts
 * import { startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo({
 *   siteId: 'site',
 *   trackApiKey: 'key',
 *   latencyMs: 50,
 *   limits: { transactionalPerSecond: 100 },
 * })
 * console.log(fake.url)
 * ```
 */
export interface FakeCustomerIoOptions {
  /**
   * TCP port, 0 to 65535. 0 selects a free one.
   *
   * @default 0
   */
  readonly port?: number
  /**
   * Address to listen on.
   *
   * @default '127.0.0.1'
   */
  readonly host?: string
  /**
   * The site id that the Track API accepts.
   *
   * @default undefined (any)
   */
  readonly siteId?: string
  /**
   * The API key that the Track API accepts.
   *
   * @default undefined (any)
   */
  readonly trackApiKey?: string
  /**
   * The bearer token that the App API accepts.
   *
   * @default undefined (any)
   */
  readonly appApiKey?: string
  /**
   * The write key that the Pipelines API accepts, as a user name with an empty password.
   *
   * @default undefined (any)
   */
  readonly pipelinesWriteKey?: string
  /**
   * The rates that the App API enforces.
   *
   * @default {} (no limit)
   */
  readonly limits?: FakeLimits
  /**
   * The region that `GET /api/v1/accounts/region` answers, with the URL of its Track API.
   *
   * @default 'us'
   */
  readonly region?: 'us' | 'eu'
  /**
   * The delay of every answer. Operations take effect on arrival. Milliseconds, at least 0.
   *
   * @default 0
   */
  readonly latencyMs?: number
  /**
   * Whether the fake keeps operations with their bodies. Set it to `false` for tests with millions of operations.
   *
   * With `false` the lists (`applied`, `duplicates`, `ignored`, `sends`, `broadcasts`, `pipelines`,
   * `pipelinesDuplicates`, `pipelinesDropped`) stay empty. A person has no attributes, devices, events or operations.
   * The counts, `lastOrdinal` and `operationCount` per person, the deduplication by ULID and message id, and the order
   * check still work.
   *
   * @default true
   */
  readonly keepOperations?: boolean
  /**
   * How many requests `requests.recent` keeps, at least 0.
   *
   * @default 1000
   */
  readonly keepRequests?: number
  /**
   * Returns the sequence number that the test gave an operation within its person, or undefined for none. An operation
   * that is applied after one with a higher number appears in `outOfOrder`.
   *
   * The fake calls it for operations of the Track API and, in the form `{ kind, body }`, for messages of the Pipelines
   * API. The two APIs name people differently, so the fake checks the order of each API separately.
   *
   * @default undefined (no order check)
   */
  readonly sequenceOf?: (operation: FakeOperation) => number | undefined
}

/**
 * The credentials that the fake accepts. An absent field accepts any value.
 *
 * @example
 * ```ts
 * import { startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: 'old' })
 * fake.credentials = { ...fake.credentials, apiKey: 'new' } // a relay with the old key now gets 401
 * ```
 */
export interface FakeCredentials {
  /** Site id of the Track API. */
  readonly siteId?: string | undefined
  /** API key of the Track API. */
  readonly apiKey?: string | undefined
  /** Bearer token of the App API. */
  readonly appApiKey?: string | undefined
  /** Write key of the Pipelines API. */
  readonly pipelinesWriteKey?: string | undefined
}

export function checkOptions(options: FakeCustomerIoOptions): void {
  const { port = 0, latencyMs = 0, keepRequests = 1_000, region = 'us', limits = {} } = options
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new TypeError(`Expected port to be between 0 and 65535, got ${port}`)
  checkMilliseconds('latencyMs', latencyMs)
  if (!(Number.isInteger(keepRequests) && keepRequests >= 0))
    throw new TypeError(`Expected keepRequests to be a whole number of at least 0, got ${keepRequests}`)
  if (region !== 'us' && region !== 'eu') throw new TypeError(`Expected region to be us or eu, got ${region}`)
  checkLimits(limits)
}

/** Whether an API accepts an `Authorization` header: Basic for Track and Pipelines, Bearer for App. */
export function isAuthorized(
  api: FakeApi,
  header: string | undefined,
  credentials: FakeCredentials,
): boolean {
  const { siteId, apiKey, appApiKey, pipelinesWriteKey } = credentials
  if (api === 'app') {
    const [, token] = /^bearer +(\S+)$/i.exec(header ?? '') ?? []
    return token !== undefined && (appApiKey === undefined || token === appApiKey)
  }
  if (header === undefined || !/^basic /i.test(header)) return false
  const text = Buffer.from(header.slice('basic '.length), 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) return false
  const user = text.slice(0, colon)
  const password = text.slice(colon + 1)
  if (api === 'pipelines')
    return password === '' && (pipelinesWriteKey === undefined ? user !== '' : user === pipelinesWriteKey)
  return (siteId === undefined || user === siteId) && (apiKey === undefined || password === apiKey)
}
