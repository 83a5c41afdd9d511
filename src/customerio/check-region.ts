import { TrackClient } from 'customerio-node'
import { credentialEncodings } from './credential-encodings.ts'
import type { TrackCredentials } from './credentials.ts'
import { createHttpClient, regionOf } from './http/client.ts'

/** What Customer.io says about a workspace's region, once, at start. */
export type RegionCheck =
  | { readonly kind: 'ok'; readonly region: 'us' | 'eu' }
  | { readonly kind: 'wrong_region'; readonly configured: 'us' | 'eu'; readonly actual: 'us' | 'eu' }
  | { readonly kind: 'credential_refused'; readonly status: number; readonly message: string }
  /** Nothing can be said: no answer, or one that is not the API's. */
  | { readonly kind: 'unreachable'; readonly message: string }

/**
 * Asks in which region the workspace of a credential lives: either region's host knows. A workspace that is
 * called in the wrong region is answered with redirects, or not at all.
 *
 * @param timeoutMs Of the request, answer included.
 */
export async function checkRegion(credentials: TrackCredentials, timeoutMs = 10_000): Promise<RegionCheck> {
  const configured = credentials.region ?? 'us'
  const region = regionOf(configured)
  const exchange = createHttpClient(
    credentialEncodings(credentials.trackApiKey, credentials.siteId),
    region,
    region.trackUrl,
    credentials.trackUrl,
    timeoutMs,
  )
  try {
    const { answer, json } = await exchange.requestJson((defaults) =>
      new TrackClient(credentials.siteId, credentials.trackApiKey, defaults).getAccountRegion(),
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
    await exchange.close()
  }
}
