/**
 * Calls `load` at most once per `ttlMs`, and once at a time: callers in between share its answer, a failure
 * included, so that no number of them can load what is behind it.
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
