import type { WorkspaceOptions } from '../../relay/options.ts'

/** Polls, because file system events miss changes on network file systems and mounted secrets. */
const READ_EVERY_MS = 2_000

export interface WatchConfigOptions {
  readonly read: () => Promise<Readonly<Record<string, WorkspaceOptions>>>
  /** The settings in use. */
  readonly current: Readonly<Record<string, WorkspaceOptions>>
  /** Applies changed settings. If it rejects, the previous ones stay in use. */
  readonly apply: (workspaces: Readonly<Record<string, WorkspaceOptions>>) => Promise<void>
  /** Called once for each change that cannot be read or applied. */
  readonly onInvalid: (error: Error) => void
}

/**
 * Reads the settings every two seconds and applies them when they have changed.
 *
 * @returns A function that ends the watching, and resolves when the last read is over.
 */
export function watchConfig({ read, current, apply, onInvalid }: WatchConfigOptions): () => Promise<void> {
  let seen = JSON.stringify(current)
  let polling = Promise.resolve()

  async function poll(): Promise<void> {
    const found = await read().catch((error: Error) => error)
    const state = found instanceof Error ? `invalid: ${found.message}` : JSON.stringify(found)
    if (state === seen) return
    seen = state
    if (found instanceof Error) onInvalid(found)
    else await apply(found).catch(onInvalid)
  }

  const timer = setInterval(() => {
    polling = polling.then(poll)
  }, READ_EVERY_MS)
  return () => {
    clearInterval(timer)
    return polling
  }
}
