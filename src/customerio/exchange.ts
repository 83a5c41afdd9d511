import { CustomerIORequestError, type Region, RegionEU, RegionUS } from 'customerio-node'
import type { Answer } from './answer.ts'
import { classify, type Result } from './classify.ts'
import { withoutQuotes, withoutSecrets } from './discreet.ts'
import { GuardedDispatcher, keepAliveAgent } from './guarded-dispatcher.ts'

/** What every client of customerio-node is made with. */
export interface ClientDefaults {
  readonly region: Region
  readonly url: string
  readonly timeout: number
  readonly retry: { readonly maxRetries: 0 }
  readonly dispatcher: NonNullable<RequestInit['dispatcher']>
}

/** One API's connection, through customerio-node. */
export interface Exchange {
  /**
   * One call of a client of customerio-node. Resolves with what it came to, and does not reject.
   *
   * @param sent What each item of the call says: words that quote it are not kept.
   */
  request(call: (defaults: ClientDefaults) => Promise<unknown>, sent: readonly unknown[]): Promise<Answer>
  /** The same, with the answer's JSON where it was accepted. */
  requestJson(
    call: (defaults: ClientDefaults) => Promise<unknown>,
    sent?: readonly unknown[],
  ): Promise<{ readonly answer: Answer; readonly json: unknown }>
  close(): Promise<void>
}

/** A 404 of the App API, in its own words, is about the message or the broadcast that was named. */
export const APP_CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 404, 422])

export function regionOf(region: 'us' | 'eu' | undefined): Region {
  return region === 'eu' ? RegionEU : RegionUS
}

/**
 * @param secrets What goes out to prove who we are, in every form: struck out of what comes back.
 * @param url Of the region, path included: `https://track.customer.io/api/v1`.
 * @param origin Replaces the origin of `url`.
 * @param contentStatuses Which 4xx blame the content. Default: 400 and 422.
 */
export function createExchange(
  secrets: readonly string[],
  region: Region,
  url: string,
  origin: string | undefined,
  timeoutMs: number,
  contentStatuses?: ReadonlySet<number>,
): Exchange {
  const root = origin === undefined ? url : `${new URL(origin).origin}${new URL(url).pathname}`
  const agent = keepAliveAgent(timeoutMs)

  const toAnswer = (received: Result, sent: readonly unknown[] = []): Answer => {
    const result = withoutSecrets(received, secrets)
    return withoutQuotes(classify(result, Date.now(), contentStatuses), result, sent)
  }
  const requestJson: Exchange['requestJson'] = async (call, sent) => {
    const dispatcher = new GuardedDispatcher(agent, new URL(root).origin)
    try {
      const json = await call({
        region,
        url: root,
        timeout: timeoutMs,
        // It would retry three times by itself, unseen by the breaker.
        retry: { maxRetries: 0 },
        // Node's own type of a dispatcher is that of another undici version; the guard speaks to both.
        dispatcher: dispatcher as unknown as NonNullable<RequestInit['dispatcher']>,
      })
      return { answer: toAnswer(toResponse(json, dispatcher), sent), json }
    } catch (error) {
      return { answer: toAnswer(toResult(error, dispatcher), sent), json: undefined }
    }
  }
  return {
    requestJson,
    request: async (call, sent) => (await requestJson(call, sent)).answer,
    close: () => agent.destroy(),
  }
}

/** What resolves was a 2xx. customerio-node makes an empty body an empty object: here it is empty again. */
function toResponse(json: unknown, { head }: GuardedDispatcher): Result {
  const { status, contentType, bodyBytes } = head ?? { status: 200, contentType: undefined, bodyBytes: 1 }
  return { status, contentType, body: bodyBytes === 0 ? '' : JSON.stringify(json), retryAfter: undefined }
}

/** customerio-node throws a plain Error where the body is not JSON; the status is known all the same. */
function toResult(error: unknown, { head, written }: GuardedDispatcher): Result {
  if (error instanceof CustomerIORequestError) {
    const { headers } = error.response
    return {
      status: error.statusCode,
      contentType: headers['content-type'],
      body: error.body,
      retryAfter: headers['retry-after'],
      date: headers.date,
    }
  }
  if (head === undefined || !(error instanceof Error)) return { error, written }
  const [, body] = error.message.split(/Body:\n ?/, 2)
  if (body !== undefined) return { ...head, body }
  // Whoever redirects has not taken anything.
  return { error, written: written && !isRedirect(head.status) }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 307 || status === 308
}
