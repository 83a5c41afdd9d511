import { type BatchOperation, CustomerIORequestError, RegionEU, RegionUS, TrackClient } from 'customerio-node'
import type { Answer } from './answer.ts'
import { classify, type Result } from './classify.ts'
import { GuardedDispatcher, keepAliveAgent, type ResponseHead } from './guarded-dispatcher.ts'
import type { TrackV2Operation } from './operation.ts'

export interface TrackCredentials {
  readonly siteId: string
  readonly trackApiKey: string
  /** Default: `us`. */
  readonly region?: 'us' | 'eu' | undefined
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly trackUrl?: string | undefined
}

/** Sends batches of one API; knows nothing of queues, retries and breakers. */
export interface Transport {
  /** One request. Resolves with what it came to, and does not reject. */
  send(operations: readonly TrackV2Operation[]): Promise<Answer>
  close(): Promise<void>
}

/** The Track API v2's batch endpoint through customerio-node, without its own retries. */
export function createTrackTransport(credentials: TrackCredentials, timeoutMs: number): Transport {
  const region = credentials.region === 'eu' ? RegionEU : RegionUS
  const url = credentials.trackUrl ? `${new URL(credentials.trackUrl).origin}/api/v1` : region.trackUrl
  const agent = keepAliveAgent(timeoutMs)
  return {
    async send(operations) {
      const dispatcher = new GuardedDispatcher(agent, new URL(url).origin)
      const client = new TrackClient(credentials.siteId, credentials.trackApiKey, {
        region,
        url,
        timeout: timeoutMs,
        // It would retry three times by itself, unseen by the breaker.
        retry: { maxRetries: 0 },
        // Node's own type of a dispatcher is that of another undici version; the guard speaks to both.
        dispatcher: dispatcher as unknown as NonNullable<RequestInit['dispatcher']>,
      })
      try {
        const json = await client.batch([...operations] as BatchOperation[])
        return classify({ status: dispatcher.head?.status ?? 200, json }, Date.now())
      } catch (error) {
        return classify(toResult(error, dispatcher.head), Date.now())
      }
    },
    close: () => agent.destroy(),
  }
}

/** customerio-node throws a plain Error where the body is not JSON; the status is known all the same. */
function toResult(error: unknown, head: ResponseHead | undefined): Result {
  if (error instanceof CustomerIORequestError) {
    return { status: error.statusCode, body: error.body, retryAfter: error.response.headers['retry-after'] }
  }
  if (head === undefined || !(error instanceof Error)) return { error }
  const [, body] = error.message.split(/Body:\n ?/, 2)
  return body === undefined ? { error } : { status: head.status, body, retryAfter: head.retryAfter }
}
