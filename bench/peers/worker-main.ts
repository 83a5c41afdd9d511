/** What the peers' workers have in common: their place, and how they start and end. */
import { TrackClient } from 'customerio-node'

export function place(): { storeUrl: string; apiUrl: string } {
  return { storeUrl: required('STORE_URL'), apiUrl: required('API_URL') }
}

/** customerio-node as it comes, its URL apart. */
export function trackClient(apiUrl: string): TrackClient {
  return new TrackClient('site', 'key', { url: `${apiUrl}/api/v1` })
}

/** Says that the worker has started, and runs `stop` when it is told to end. */
export function started(stop: () => Promise<unknown>): void {
  process.once('SIGTERM', () => void stop().finally(() => process.exit(0)))
  process.once('disconnect', () => process.exit(1))
  process.send?.('started')
}

export function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
