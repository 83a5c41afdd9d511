import { type APIClient, type Region, RegionEU, RegionUS } from 'customerio-node'
import type { Answer } from '../answers/answer.ts'
import { classify } from '../answers/classify.ts'
import { credentialEncodings, redactCredentials } from '../credential-encodings.ts'
import { GuardedDispatcher, keepAliveAgent } from './guarded-dispatcher.ts'
import type { Received } from '../answers/received.ts'
import { isRedirect, sendFollowing, viaDispatcher } from './via-dispatcher.ts'

/** Constructor options for every client of customerio-node. */
export interface ClientDefaults {
  readonly region: Region
  readonly url: string
  readonly timeout: number
  readonly retry: { readonly maxRetries: 0 }
  readonly dispatcher: NonNullable<RequestInit['dispatcher']>
}

/** Makes a call with a client of customerio-node. `prepare` must get the client before its first call. */
export type ClientCall = (
  defaults: ClientDefaults,
  prepare: <Client extends Pick<APIClient, 'request'>>(client: Client) => Client,
) => Promise<unknown>

/** The connection to one API. Every call goes through customerio-node, except for `post`. */
export interface HttpClient {
  /**
   * Makes one call of a client of customerio-node. Never rejects: every failure is an `Answer`.
   *
   * @param items Number of items that the call sends: an answer may name them by index.
   */
  request(call: ClientCall, items: number): Promise<Answer>
  /** Makes one call as `request` does, and returns the JSON of the answer too if it was accepted. */
  requestJson(call: ClientCall, items?: number): Promise<{ readonly answer: Answer; readonly json: unknown }>
  /**
   * Posts a body that is written already, with the headers of customerio-node. Follows redirects as customerio-node does.
   * Never rejects.
   *
   * @param items Number of items in the body.
   */
  post(request: RawRequest, items: number): Promise<Answer>
  /** Constructor options for a client that sends nothing. */
  readonly defaults: Omit<ClientDefaults, 'dispatcher'>
  close(): Promise<void>
}

/** A request that is complete but for `Content-Length`. */
export interface RawRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The App API answers 404, in its own format, if a template or a broadcast does not exist: the content is at fault. */
const APP_CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 404, 422])

/** One API of one workspace, and the credential for it. */
export interface HttpClientOptions {
  /** Property of customerio-node's `Region` that has the URL of the API. */
  readonly api: 'trackUrl' | 'apiUrl' | 'pipelinesUrl'
  /** Default: `us`. */
  readonly region: 'us' | 'eu' | undefined
  /** Replaces the origin of the region's URL, for a proxy or a test. The path stays. */
  readonly origin: string | undefined
  /** The secret that authenticates. Texts of Customer.io that show a piece of it are redacted. */
  readonly key: string
  /** User of Basic authentication, if the API has one. */
  readonly user?: string
  /** Milliseconds for one request, from connecting to the end of the answer. */
  readonly timeoutMs: number
}

/** Opens a connection pool for one API. No request is sent yet. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { api, origin, key, user, timeoutMs } = options
  const region = options.region === 'eu' ? RegionEU : RegionUS
  const url = region[api]
  const root = origin === undefined ? url : `${new URL(origin).origin}${new URL(url).pathname}`
  const credential = credentialEncodings(key, user)
  const contentStatuses = api === 'apiUrl' ? APP_CONTENT_STATUSES : undefined
  const agent = keepAliveAgent(timeoutMs)
  const defaults = {
    region,
    url: root,
    timeout: timeoutMs,
    // By default customerio-node retries three times, and the breaker would not see these failures.
    retry: { maxRetries: 0 },
  } as const
  const answerOf = (dispatcher: GuardedDispatcher, thrown: unknown, items: number) =>
    redactCredentials(
      classify(receivedBy(dispatcher, thrown), Date.now(), { items, contentStatuses }),
      credential,
    )

  const requestJson: HttpClient['requestJson'] = async (call, items = 1) => {
    const dispatcher = new GuardedDispatcher(agent, new URL(root).origin)
    let json: unknown
    let thrown: unknown
    try {
      // Node's type of a dispatcher comes from another version of undici. The guard works with both.
      const typed = dispatcher as unknown as NonNullable<RequestInit['dispatcher']>
      json = await call({ ...defaults, dispatcher: typed }, (client) =>
        viaDispatcher(client, dispatcher, timeoutMs),
      )
    } catch (error) {
      thrown = error
    }
    return { answer: answerOf(dispatcher, thrown, items), json }
  }
  const request: HttpClient['request'] = async (call, items) => (await requestJson(call, items)).answer

  const post: HttpClient['post'] = async (given, items) => {
    const dispatcher = new GuardedDispatcher(agent, new URL(root).origin)
    let thrown: unknown
    try {
      await sendFollowing({ method: 'POST', ...given }, dispatcher, AbortSignal.timeout(timeoutMs))
    } catch (error) {
      thrown = error
    }
    return answerOf(dispatcher, thrown, items)
  }
  return {
    defaults,
    requestJson,
    request,
    post,
    close: () => agent.destroy(),
  }
}

/**
 * The response as the dispatcher saw it. customerio-node does not report it in full: it throws a plain Error without the
 * status if a body is not JSON, and turns an empty body into an empty object. A server that redirects has not taken the
 * request.
 */
function receivedBy({ answered, status, written }: GuardedDispatcher, error: unknown): Received {
  if (status !== undefined && isRedirect(status)) return { error, written: false, redirect: status }
  return answered ?? { error, written }
}
