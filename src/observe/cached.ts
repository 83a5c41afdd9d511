/**
 * Calls `load` at most once per `ttlMs` milliseconds, and once at a time. Callers in between share the result, or the
 * failure, so that many callers put no load on the source.
 */
export function cached<T>(load: () => Promise<T>, ttlMs: number): () => Promise<T> {
  let current: Promise<T> | undefined
  let settledAt = Number.NEGATIVE_INFINITY
  let pending = false
  return () => {
    if (current && (pending || performance.now() - settledAt < ttlMs)) return current
    pending = true
    const loading = load().finally(() => {
      pending = false
      settledAt = performance.now()
    })
    current = loading
    return loading
  }
}
