import { TrackClient } from 'customerio-node'
import type { TrackCredentials } from './credentials.ts'
import { createHttpClient } from './http/client.ts'

/** Result of asking Customer.io for the region of a workspace. The relay asks once, at start. */
export type RegionCheck =
  | { readonly kind: 'ok'; readonly region: 'us' | 'eu' }
  | { readonly kind: 'wrong_region'; readonly configured: 'us' | 'eu'; readonly actual: 'us' | 'eu' }
  | { readonly kind: 'credential_refused'; readonly status: number; readonly message: string }
  /** The region is unknown: there was no answer, or the answer is not one of the API. */
  | { readonly kind: 'unreachable'; readonly message: string }

/**
 * Asks Customer.io for the region of the workspace that a credential belongs to. The hosts of both regions answer this
 * question. Any other request to the wrong region gets redirects, or no answer.
 *
 * @param timeoutMs Milliseconds for the request, answer included. Default: 10,000.
 * @returns Never rejects: every failure is a `RegionCheck`.
 */
export async function checkRegion(credentials: TrackCredentials, timeoutMs = 10_000): Promise<RegionCheck> {
  const configured = credentials.region ?? 'us'
  const http = createHttpClient({
    api: 'trackUrl',
    region: configured,
    origin: credentials.trackUrl,
    key: credentials.trackApiKey,
    user: credentials.siteId,
    timeoutMs,
  })
  try {
    const { answer, json } = await http.requestJson((defaults, prepare) =>
      prepare(new TrackClient(credentials.siteId, credentials.trackApiKey, defaults)).getAccountRegion(),
    )
    if (answer.kind === 'credential') {
      return { kind: 'credential_refused', status: answer.status, message: answer.message }
    }
    if (answer.kind !== 'accepted') return { kind: 'unreachable', message: answer.message }
    const actual = (json as { readonly region?: unknown } | null)?.region
    if (actual !== 'us' && actual !== 'eu') {
      return { kind: 'unreachable', message: 'the answer names no region' }
    }
    return actual === configured
      ? { kind: 'ok', region: actual }
      : { kind: 'wrong_region', configured, actual }
  } finally {
    await http.close()
  }
}
