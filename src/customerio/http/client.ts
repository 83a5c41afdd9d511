import { type Region, RegionEU, RegionUS } from 'customerio-node'
import type { Answer } from '../answers/answer.ts'
import { classify } from '../answers/classify.ts'
import { redactCredentials } from '../credential-encodings.ts'
import { GuardedDispatcher, keepAliveAgent } from './guarded-dispatcher.ts'
import type { Received } from '../answers/received.ts'

/** What every client of customerio-node is made with. */
export interface ClientDefaults {
  readonly region: Region
  readonly url: string
  readonly timeout: number
  readonly retry: { readonly maxRetries: 0 }
  readonly dispatcher: NonNullable<RequestInit['dispatcher']>
}

/** One API's connection, through customerio-node. */
export interface HttpClient {
  /**
   * One call of a client of customerio-node. Resolves with what it came to, and does not reject.
   *
   * @param items How many items the call sends: an answer may name them by their places.
   */
  request(call: (defaults: ClientDefaults) => Promise<unknown>, items: number): Promise<Answer>
  /** The same, with the answer's JSON where it was accepted. */
  requestJson(
    call: (defaults: ClientDefaults) => Promise<unknown>,
    items?: number,
  ): Promise<{ readonly answer: Answer; readonly json: unknown }>
  close(): Promise<void>
}

/** A 404 of the App API, in its own words, is about the message or the broadcast that was named. */
export const APP_CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 404, 422])

export function regionOf(region: 'us' | 'eu' | undefined): Region {
  return region === 'eu' ? RegionEU : RegionUS
}

/**
 * @param credential Every piece of what goes out to prove who we are: a text of Customer.io's that shows one is not kept.
 * @param url Of the region, path included: `https://track.customer.io/api/v1`.
 * @param origin Replaces the origin of `url`.
 * @param contentStatuses Which 4xx blame the content. Default: 400 and 422.
 */
export function createHttpClient(
  credential: ReadonlySet<string>,
  region: Region,
  url: string,
  origin: string | undefined,
  timeoutMs: number,
  contentStatuses?: ReadonlySet<number>,
): HttpClient {
  const root = origin === undefined ? url : `${new URL(origin).origin}${new URL(url).pathname}`
  const agent = keepAliveAgent(timeoutMs)

  const requestJson: HttpClient['requestJson'] = async (call, items = 1) => {
    const dispatcher = new GuardedDispatcher(agent, new URL(root).origin)
    let json: unknown
    let thrown: unknown
    try {
      json = await call({
        region,
        url: root,
        timeout: timeoutMs,
        // It would retry three times by itself, unseen by the breaker.
        retry: { maxRetries: 0 },
        // Node's own type of a dispatcher is that of another undici version; the guard speaks to both.
        dispatcher: dispatcher as unknown as NonNullable<RequestInit['dispatcher']>,
      })
    } catch (error) {
      thrown = error
    }
    const answer = classify(receivedBy(dispatcher, thrown), Date.now(), { items, contentStatuses })
    return { answer: redactCredentials(answer, credential), json }
  }
  return {
    requestJson,
    request: async (call, items) => (await requestJson(call, items)).answer,
    close: () => agent.destroy(),
  }
}

/**
 * What came back, as the dispatcher saw it: customerio-node throws a plain Error without the status if a body is not JSON,
 * and makes an empty body an empty object. A server that redirects has not taken anything.
 */
function receivedBy({ answered, status, written }: GuardedDispatcher, error: unknown): Received {
  if (status !== undefined && isRedirect(status)) return { error, written: false, redirect: status }
  return answered ?? { error, written }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 307 || status === 308
}
