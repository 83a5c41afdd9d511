const CHECK_EVERY_MS = 500

/**
 * Calls `onGone` once, within half a second after the parent of this process has ended. A signal does not report this: a
 * shell that is killed by SIGKILL passes none on.
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
