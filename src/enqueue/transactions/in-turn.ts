/** The last call on each handle. */
const lastCalls = new WeakMap<object, Promise<unknown>>()

/**
 * Runs `work` after all earlier calls on the same handle. So calls of `enqueue` that the app does not await keep their order,
 * and the savepoint of one call holds nothing of another.
 */
export function inTurn<T>(handle: unknown, work: () => Promise<T>): Promise<T> {
  if (typeof handle !== 'function' && (typeof handle !== 'object' || handle === null)) return work()
  const before = lastCalls.get(handle)
  const call = before === undefined ? work() : before.then(work)
  lastCalls.set(
    handle,
    call.catch(() => {}), // the caller gets the error
  )
  return call
}
