const CHECK_EVERY_MS = 500

/**
 * Calls `onGone` once, within half a second of the end of this process's parent: a shell that is killed by SIGKILL
 * passes no signal on.
 *
 * @returns A function that ends the check.
 */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onGone()
  }, CHECK_EVERY_MS).unref()
  return () => clearInterval(timer)
}
