/** Shared by the peers' workers: their endpoints, their client, and how they start and stop. */
import { TrackClient } from 'customerio-node'

export function endpoints(): { storeUrl: string; apiUrl: string } {
  return { storeUrl: required('STORE_URL'), apiUrl: required('API_URL') }
}

/** customerio-node's client with its defaults, except for the URL. */
export function trackClient(apiUrl: string): TrackClient {
  return new TrackClient('site', 'key', { url: `${apiUrl}/api/v1` })
}

/** Reports that the worker has started, and runs `stop` on SIGTERM. */
export function started(stop: () => Promise<unknown>): void {
  process.once('SIGTERM', () => void stop().finally(() => process.exit(0)))
  process.once('disconnect', () => process.exit(1))
  process.send?.('started')
}

export function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`Expected the environment variable ${name} to be set, got nothing`)
  return value
}
