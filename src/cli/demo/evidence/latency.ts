import type { Arrival } from './check.ts'

export interface Latency {
  readonly count: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** A period, in Unix ms. */
export interface Span {
  readonly from: number
  readonly until: number
}

/**
 * Latency from COMMIT to arrival at Customer.io: of all deliveries (`all`), and of those that arrived before `disturbed`
 * began or were committed after it ended (`calm`).
 */
export function latencies(
  committedAt: ReadonlyMap<string, number>,
  applied: readonly Arrival[],
  disturbed: Span,
): { readonly all: Latency; readonly calm: Latency } {
  const all: number[] = []
  const calm: number[] = []
  const seen = new Set<string>()
  for (const { ref, at } of applied) {
    const committed = committedAt.get(ref)
    if (committed === undefined || seen.has(ref)) continue
    seen.add(ref)
    // A delivery may arrive before the shop has the answer to its COMMIT.
    const ms = Math.max(0, at - committed)
    all.push(ms)
    if (at < disturbed.from || committed > disturbed.until) calm.push(ms)
  }
  return { all: summary(all), calm: summary(calm) }
}

function summary(values: number[]): Latency {
  values.sort((a, b) => a - b)
  const at = (share: number) => values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? null
  return { count: values.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}
