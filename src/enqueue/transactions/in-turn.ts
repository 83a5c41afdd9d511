/** The end of the last call on each handle. It keeps no result. */
const lastCalls = new WeakMap<object, Promise<void>>()

/**
 * Runs `work` after all earlier calls on the same handle. So calls of `enqueue` that the app does not await keep their order,
 * and a rollback to the savepoint of one call takes back no other.
 */
export function inTurn<T>(handle: unknown, work: () => Promise<T>): Promise<T> {
  if (typeof handle !== 'function' && (typeof handle !== 'object' || handle === null)) return work()
  const before = lastCalls.get(handle)
  const call = before === undefined ? work() : before.then(work)
  const end = () => {} // the caller gets the result or the error
  lastCalls.set(handle, call.then(end, end))
  return call
}
