import { type BreakerStatus, readBreakerState } from '../../observe/views/read-breaker-state.ts'
import type { Database } from '../../store/connection/database.ts'

/** A destination with its breaker. No breaker: the destination never failed and was never paused. */
export interface BreakerOf {
  readonly destination: string
  readonly breaker: BreakerStatus | undefined
}

/** Reads the breakers of these destinations, in their order. */
export async function readBreakers(db: Database, destinations: readonly string[]): Promise<BreakerOf[]> {
  const rows = await readBreakerState({ query: async (text) => ({ rows: await db.query(text) }) }, db.names)
  return destinations.map((destination) => ({
    destination,
    breaker: rows.find((row) => row.destination === destination),
  }))
}

/** What `--preview` prints: the destinations, and the present states of their breakers. */
export function renderPreview(found: readonly BreakerOf[], verb: 'pause' | 'resume', json: boolean): string {
  const states = found.map(({ destination, breaker }) => ({
    destination,
    state: breaker?.state ?? 'closed',
    reason: breaker?.lastError ?? null,
  }))
  if (json) return JSON.stringify({ preview: true, destinations: states })
  return states
    .map(({ destination, state }) => `would ${verb} ${destination}, now ${state.replace('_', ' ')}`)
    .join('\n')
}
