import { checkMilliseconds } from './active-misbehaviours.ts'
import type { FakeApi, FakeOperation } from './operation.ts'
import { checkLimits, type FakeLimits } from './rate-limits.ts'

export interface FakeCustomerIoOptions {
  /** TCP port; 0 takes a free one. Default: 0. */
  readonly port?: number
  /** Address to listen on. Default: `127.0.0.1`. */
  readonly host?: string
  /** The site id that a caller must give. Default: any. */
  readonly siteId?: string
  /** The Track API key that a caller must give. Default: any. */
  readonly trackApiKey?: string
  /** The App API key that a caller must give as a bearer token. Default: any. */
  readonly appApiKey?: string
  /** The write key that a caller of the Pipelines API must give, with an empty password. Default: any. */
  readonly pipelinesWriteKey?: string
  /** Rates that the App API enforces. Default: none. */
  readonly limits?: FakeLimits
  /** What `GET /api/v1/accounts/region` answers: the region, and the URL of its Track API. Default: `us`. */
  readonly region?: 'us' | 'eu'
  /** How long every answer is held back, in milliseconds, at least 0. Default: 0. */
  readonly latencyMs?: number
  /**
   * Whether operations are kept with their bodies. With `false`, for millions of operations, every list of them (`applied`,
   * `duplicates`, `ignored`, `sends`, `broadcasts`, `pipelines` and its like) stays empty and a person has neither attributes,
   * devices, events nor operations; what stays are the counts, `lastOrdinal` and `operationCount` per person, the ULIDs and
   * message ids seen, and the order check. Default: true.
   */
  readonly keepOperations?: boolean
  /** How many requests `requests.recent` keeps, at least 0. Default: 1,000. */
  readonly keepRequests?: number
  /**
   * The place of an operation among its person's, as the caller numbers them; undefined for one that has none. With it,
   * an operation applied after one of a higher number is entered in `outOfOrder`. Asked of the operations of the Track API
   * and, as `{ kind, body }`, of the messages of the Pipelines API, in which a person is another than in the first.
   * Default: order is not checked.
   */
  readonly sequenceOf?: (operation: FakeOperation) => number | undefined
}

/** Who may call. A part that is missing accepts anything. */
export interface FakeCredentials {
  readonly siteId?: string | undefined
  /** Of the Track API. */
  readonly apiKey?: string | undefined
  readonly appApiKey?: string | undefined
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

/** Whether an `Authorization` header is good enough for an API: Basic for Track and Pipelines, Bearer for App. */
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
